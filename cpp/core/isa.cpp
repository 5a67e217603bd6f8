#include "core/isa.h"

#include <cstdlib>
#include <stdexcept>

namespace gnomon {

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::avx512: return "avx512";
        case Isa::avx2: return "avx2";
        case Isa::scalar: break;
    }
    return "scalar";
}

Isa detect_isa() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"))
        return Isa::avx512;
    // F16C has no name for __builtin_cpu_supports in older gcc; every CPU with AVX2 has it.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::scalar;
}

Isa chosen_isa() {
    const Isa best = detect_isa();
    const char* wanted = std::getenv("GNOMON_ISA");
    if (wanted == nullptr || *wanted == '\0') return best;
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
        if (std::string(wanted) != isa_name(isa)) continue;
        if (isa > best)
            throw std::invalid_argument(std::string("GNOMON_ISA=") + wanted +
                                        ", but this CPU has no more than " + isa_name(best) + ".");
        return isa;
    }
    throw std::invalid_argument(std::string("GNOMON_ISA=") + wanted +
                                " is unknown; expected scalar, avx2 or avx512.");
}

}  // namespace gnomon
