// Bindings of the encoder: shapes and dtypes are checked here, the work is done in cpp/codecs/.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <string>

#include "codecs/beam_search.h"
#include "codecs/codewords.h"
#include "codecs/trellis_search.h"

namespace nb = nanobind;
using namespace gnomon;

namespace {

using Blocks = nb::ndarray<const float, nb::shape<-1, kBlockColumns>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Symbols = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<float, nb::shape<-1, kBlockColumns>, nb::c_contig, nb::device::cpu>;

template <int N>
using Floats = nb::ndarray<const float, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using AdditiveCodes = nb::ndarray<uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void require_threads(int threads) {
    if (threads < 0 || threads > 1024)
        throw std::invalid_argument("threads must be 0 (all cores) to 1024.");
}

void encode(const Blocks& blocks, const Table& table, int bits, const Symbols& symbols,
            const Values& values, int threads) {
    require_threads(threads);
    if (bits < 2 || bits > 4) throw std::invalid_argument("bits must be 2, 3 or 4.");
    const TrellisForm form = trellis_form(bits);
    const size_t count = blocks.shape(0);
    if (table.shape(0) != static_cast<size_t>(form.window) ||
        table.shape(1) != static_cast<size_t>(form.values()) ||
        table.shape(2) != static_cast<size_t>(form.columns))
        throw std::invalid_argument("table must be float32 [window, 2^symbol bits, columns of a symbol].");
    if (symbols.shape(0) != count || symbols.shape(1) != static_cast<size_t>(form.symbols()))
        throw std::invalid_argument("symbols must be uint8 [blocks, symbols of a block].");
    if (values.shape(0) != count) throw std::invalid_argument("values must be float32 [blocks, 32].");
    const TrellisEncodeJob job{blocks.data(), static_cast<int64_t>(count), table.data(),
                               bits,          symbols.data(),              values.data()};
    const Isa isa = chosen_isa();
    nb::gil_scoped_release release;
    ThreadPool pool(threads > 0 ? threads : usable_cores());
    trellis_encode(job, pool, isa);
}

void search(const Floats<2>& targets, const Floats<2>& values, const Floats<2>& coupling,
            const Floats<3>& factors, const Floats<3>& codebooks, const AdditiveCodes& codes, bool is_sweep,
            int beam, int width, int threads) {
    require_threads(threads);
    const size_t rows = targets.shape(0), columns = targets.shape(1), books = codebooks.shape(0);
    if (columns % 8 != 0 || values.shape(0) != rows || values.shape(1) != columns)
        throw std::invalid_argument("targets and values must be [rows, columns], columns a multiple of 8.");
    if (coupling.shape(0) != columns || coupling.shape(1) != columns)
        throw std::invalid_argument("coupling must be [columns, columns].");
    if (factors.shape(0) != columns / 8 || factors.shape(1) != 8 || factors.shape(2) != 8)
        throw std::invalid_argument("factors must be [columns / 8, 8, 8].");
    if (books < 1 || books > kMostBooks || codebooks.shape(1) != 256 || codebooks.shape(2) != 8)
        throw std::invalid_argument("codebooks must be [1 to 8, 256, 8].");
    if (codes.shape(0) != rows || codes.shape(1) != columns / 8 || codes.shape(2) != books)
        throw std::invalid_argument("codes must be uint8 [rows, columns / 8, codebooks].");
    if (beam < 1 || beam > kMostBeam) throw std::invalid_argument("beam must be 1 to 16.");
    if (width < 8 || width > 256 || (width & (width - 1)) != 0)
        throw std::invalid_argument("width must be 8, 16, 32, 64, 128 or 256.");
    const BeamSearchJob job{targets.data(),
                            values.data(),
                            coupling.data(),
                            factors.data(),
                            codebooks.data(),
                            static_cast<int64_t>(rows),
                            static_cast<int64_t>(columns),
                            static_cast<int>(books),
                            beam,
                            width,
                            is_sweep,
                            codes.data()};
    const Isa isa = chosen_isa();
    nb::gil_scoped_release release;
    ThreadPool pool(threads > 0 ? threads : usable_cores());
    beam_search(job, pool, isa);
}

using FlatCodes = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require_codebooks(const FlatCodes& codes, size_t vectors, size_t width, size_t books, size_t entries,
                       size_t length) {
    if (vectors != codes.shape(0) || books != codes.shape(1) || width != 8 || entries != 256 || length != 8)
        throw std::invalid_argument(
            "Expected codes [count, books], vectors [count, 8] and codebooks [books, 256, 8].");
}

void add(const FlatCodes& codes, const Floats<3>& codebooks,
         const nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>& sums) {
    require_codebooks(codes, sums.shape(0), sums.shape(1), codebooks.shape(0), codebooks.shape(1),
                      codebooks.shape(2));
    nb::gil_scoped_release release;
    add_codewords(codes.data(), static_cast<int64_t>(codes.shape(0)), static_cast<int64_t>(codes.shape(1)),
                  codebooks.data(), sums.data());
}

void sum_up(const FlatCodes& codes, const Floats<2>& vectors,
            const nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>& totals) {
    require_codebooks(codes, vectors.shape(0), vectors.shape(1), totals.shape(0), totals.shape(1),
                      totals.shape(2));
    nb::gil_scoped_release release;
    sum_by_codeword(codes.data(), static_cast<int64_t>(codes.shape(0)), static_cast<int64_t>(codes.shape(1)),
                    vectors.data(), totals.data());
}

}  // namespace

void bind_codecs(nb::module_& m) {
    m.def("trellis_encode", &encode, nb::arg("sequences").noconvert(), nb::arg("table").noconvert(),
          nb::arg("bits"), nb::arg("codes").noconvert(), nb::arg("values").noconvert(),
          nb::arg("threads") = 0,
          "Writes the nearest codes and what they decode to. See cpp/codecs/trellis_search.h.");
    m.def("beam_search", &search, nb::arg("targets").noconvert(), nb::arg("values").noconvert(),
          nb::arg("coupling").noconvert(), nb::arg("factors").noconvert(),
          nb::arg("codebooks").noconvert(), nb::arg("codes").noconvert(), nb::kw_only(),
          nb::arg("is_sweep"), nb::arg("beam"), nb::arg("width"), nb::arg("threads") = 0,
          "Writes the codes of every row. See cpp/codecs/beam_search.h.");
    m.def("add_codewords", &add, nb::arg("codes").noconvert(), nb::arg("codebooks").noconvert(),
          nb::arg("sums").noconvert(), "Writes Σ_k codebooks[k, codes[i, k]]. See cpp/codecs/codewords.h.");
    m.def("sum_by_codeword", &sum_up, nb::arg("codes").noconvert(), nb::arg("vectors").noconvert(),
          nb::arg("totals").noconvert(), "Writes, for every codeword, the sum of the vectors that use it.");
}
