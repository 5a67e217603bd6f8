// Bindings of the encoder: shapes and dtypes are checked here, the work is done in cpp/codecs/.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <string>

#include "codecs/viterbi.h"

namespace nb = nanobind;
using namespace gnomon;

namespace {

using Sequences = nb::ndarray<const float, nb::shape<-1, kSequenceLength>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const float, nb::shape<256>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<float, nb::shape<-1, kSequenceLength>, nb::c_contig, nb::device::cpu>;

void encode(Sequences sequences, Table table, int bits, Codes codes, Values values, int threads) {
    if (threads < 0 || threads > 1024)
        throw std::invalid_argument("threads must be 0 (all cores) to 1024.");
    if (bits < 2 || bits > 4) throw std::invalid_argument("bits must be 2, 3 or 4.");
    const size_t count = sequences.shape(0);
    if (codes.shape(0) != count || codes.shape(1) != static_cast<size_t>(32 * bits))
        throw std::invalid_argument("codes must be uint8 [sequences, 32 * bits].");
    if (values.shape(0) != count)
        throw std::invalid_argument("values must be float32 [sequences, 256].");
    const TrellisEncodeJob job{sequences.data(), static_cast<int64_t>(count), table.data(),
                               bits,             codes.data(),                values.data()};
    const Isa isa = chosen_isa();
    nb::gil_scoped_release release;
    ThreadPool pool(threads > 0 ? threads : usable_cores());
    trellis_encode(job, pool, isa);
}

}  // namespace

void bind_codecs(nb::module_& m) {
    m.def("trellis_encode", &encode, nb::arg("sequences").noconvert(), nb::arg("table").noconvert(),
          nb::arg("bits"), nb::arg("codes").noconvert(), nb::arg("values").noconvert(),
          nb::arg("threads") = 0,
          "Writes the nearest codes and what they decode to. See cpp/codecs/viterbi.h.");
}
