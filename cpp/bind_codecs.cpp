#include <nanobind/nanobind.h>
void bind_codecs(nanobind::module_& m);
void bind_codecs(nanobind::module_&) {}
