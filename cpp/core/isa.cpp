#include "core/isa.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace gnomon {

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::avx512: return "avx512";
        case Isa::avx2: return "avx2";
        case Isa::neon: return "neon";
        case Isa::scalar: break;
    }
    return "scalar";
}

std::vector<Isa> available_isas() {
    std::vector<Isa> found{Isa::scalar};
#if defined(__x86_64__)
    __builtin_cpu_init();
    // F16C has no name for __builtin_cpu_supports in older gcc; every CPU with AVX2 has it.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(Isa::avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"))
        found.push_back(Isa::avx512);
#elif defined(__aarch64__)
    found.push_back(Isa::neon);  // every 64-bit ARM processor has it
#endif
    return found;
}

bool is_available(Isa isa) {
    const auto all = available_isas();
    return std::find(all.begin(), all.end(), isa) != all.end();
}

Isa detect_isa() { return available_isas().back(); }

Isa isa_of_name(const std::string& name) {
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon})
        if (name == isa_name(isa)) return isa;
    throw std::invalid_argument("'" + name + "' is no instruction set; expected scalar, avx2, avx512 or neon.");
}

Isa chosen_isa() {
    const char* wanted = std::getenv("GNOMON_ISA");
    if (wanted == nullptr || *wanted == '\0') return detect_isa();
    try {
        const Isa isa = isa_of_name(wanted);
        if (is_available(isa)) return isa;
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string("GNOMON_ISA: ") + error.what());
    }
    throw std::invalid_argument(std::string("GNOMON_ISA=") + wanted + ", but this CPU has no more than " +
                                isa_name(detect_isa()) + ".");
}

}  // namespace gnomon
