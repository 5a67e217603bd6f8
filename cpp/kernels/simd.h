// The vectors of the instruction set this file is compiled for.
//
// `F`: floats. load(p, n), store(p, a, n): the first n of them; the rest is zero, or left alone.
// `B`: bytes. look_up(repeat_16(table), index) is table[index], index < 16, and look_up_256(table, index) has room for
//      any; tables are aligned. Shifts are of 16-bit numbers: mask what crosses from one byte to the next.
// `Sums`: N sums of up to 257 bytes each. add_to(y, scale, bias): y[i] += (sum i − bias) · scale.
// store_16_bytes(p, v): 16 floats of ±127 in 16 / F::N vectors, rounded, plus 128.
//
// No standard-library templates in here or in the other kernel headers: their out-of-line copies
// would be merged across instruction sets, and an old CPU could be handed AVX-512 code.
#pragma once

#include "core/half.h"

#if defined(GNOMON_SIMD_AVX512) || defined(GNOMON_SIMD_AVX2) || defined(GNOMON_SIMD_NEON)
#define GNOMON_UNROLL _Pragma("GCC unroll 16")
#else
#define GNOMON_UNROLL  // loops of loops would take a compiler minutes
#endif

#if defined(GNOMON_SIMD_AVX512)
#include "kernels/simd_avx512.h"
#elif defined(GNOMON_SIMD_AVX2)
#include "kernels/simd_avx2.h"
#elif defined(GNOMON_SIMD_NEON)
#include "kernels/simd_neon.h"
#else
#include "kernels/simd_portable.h"
#endif
