#include <stdexcept>
#include <string>

#include "kernels/table.h"

namespace gnomon {

const KernelTable& kernels(Isa isa) {
    if (isa > detect_isa())
        throw std::invalid_argument(std::string("This CPU cannot run ") + isa_name(isa) + " kernels.");
#if defined(__x86_64__)
    if (isa == Isa::avx512) return avx512_kernels();
    if (isa == Isa::avx2) return avx2_kernels();
#endif
    return scalar_kernels();
}

}  // namespace gnomon
