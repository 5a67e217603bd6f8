// The instruction sets the kernels are built for, and the choice among them at run time.
#pragma once

#include <string>

namespace gnomon {

enum class Isa { scalar, avx2, avx512 };  // avx512: F, BW, VL, DQ, VBMI and VNNI together

const char* isa_name(Isa isa);

// The best set this CPU has.
Isa detect_isa();

// detect_isa(), unless the environment variable GNOMON_ISA names another one. Throws
// std::invalid_argument if that name is unknown or this CPU lacks it.
Isa chosen_isa();

}  // namespace gnomon
