#pragma once
// Descriptors 0, 1 and 2 as a process finds them.

namespace stele {

/// Opens /dev/null on those of them that are closed, so that no file or socket gets their numbers and is written to by
/// who means stderr. Reading 0 and writing 1 fail as before: a result that nobody gets is no success. To be called
/// first of all.
void open_standard_descriptors();

}  // namespace stele
