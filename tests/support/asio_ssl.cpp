// As net/server/asio.cpp, for what only tests use.

#include <boost/asio/ssl/impl/src.hpp>
