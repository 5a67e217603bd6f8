// The Python module `gnomon._native`: a table of contents. No maths here.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_codecs(nb::module_& m);
void bind_engine(nb::module_& m);
void bind_geometry(nb::module_& m);
void bind_session(nb::module_& m);

NB_MODULE(_native, m) {
    m.doc() = "gnomon's native core.";
    bind_codecs(m);
    bind_engine(m);
    bind_geometry(m);
    bind_session(m);
}
