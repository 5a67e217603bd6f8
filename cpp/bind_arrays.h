// numpy arrays as the bindings take and make them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>

template <class T, std::size_t N>
using In = nanobind::ndarray<const T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
template <class T, std::size_t N>
using InOut = nanobind::ndarray<T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
template <std::size_t N>
using Any = nanobind::ndarray<nanobind::ro, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
template <class T>
using Out = nanobind::ndarray<nanobind::numpy, T>;

inline int64_t size_of(std::size_t n) { return static_cast<int64_t>(n); }

// A new array and the memory behind it.
template <class T>
Out<T> new_array(std::initializer_list<std::size_t> shape, T*& data) {
    std::size_t count = 1;
    for (std::size_t n : shape) count *= n;
    data = new T[count];
    nanobind::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Out<T>(data, shape.size(), shape.begin(), owner);
}
