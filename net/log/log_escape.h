#pragma once
// Text that a client may have chosen, made safe to be written to a log: it can neither begin a line, nor break the form
// of one, nor tell a terminal what to do.

#include <string>
#include <string_view>

namespace stele::net {

/// For a sentence. Control characters, marks that change the direction of writing, line separators and bytes that are
/// not UTF-8 appear as \xNN, a backslash as two.
void append_log_text(std::string& to, std::string_view text);
/// For one of several words on a line: white space and quotes are escaped too; "-" if it is empty.
void append_log_word(std::string& to, std::string_view text);
/// For JSON: a string, quotes included. The same characters appear as \uNNNN, bytes that are not UTF-8 as a text \xNN.
void append_log_json(std::string& to, std::string_view text);

}  // namespace stele::net
