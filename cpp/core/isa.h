// The instruction sets the kernels are built for, and the choice among them at run time.
#pragma once

#include <string>
#include <vector>

namespace gnomon {

enum class Isa { scalar, avx2, avx512, neon };  // avx512: F, BW, VL, DQ, VBMI and VNNI together

const char* isa_name(Isa isa);

// The sets that this CPU has and this build is for, the best one last.
std::vector<Isa> available_isas();

bool is_available(Isa isa);

// The best set this CPU has.
Isa detect_isa();

// Throws std::invalid_argument if there is no such set.
Isa isa_of_name(const std::string& name);

// detect_isa(), unless the environment variable GNOMON_ISA names another one. Throws
// std::invalid_argument if that name is unknown or this CPU lacks it.
Isa chosen_isa();

}  // namespace gnomon
