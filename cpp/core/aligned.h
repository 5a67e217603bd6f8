// Memory on cache-line boundaries, which the kernels like and vectors of floats do not promise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace gnomon {

constexpr std::size_t kCacheLine = 64;

template <class T>
class AlignedBuffer {
public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(int64_t count) { resize(count); }

    // Contents are lost and the new ones are zero.
    void resize(int64_t count) {
        const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
        data_.reset(static_cast<T*>(::operator new(bytes + 1, std::align_val_t(kCacheLine))));
        if (bytes > 0) std::memset(static_cast<void*>(data_.get()), 0, bytes);
        count_ = count;
    }

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    int64_t size() const { return count_; }
    T& operator[](int64_t i) { return data_.get()[i]; }
    const T& operator[](int64_t i) const { return data_.get()[i]; }

private:
    struct Free {
        void operator()(T* p) const { ::operator delete(p, std::align_val_t(kCacheLine)); }
    };
    std::unique_ptr<T, Free> data_;
    int64_t count_ = 0;
};

}  // namespace gnomon
