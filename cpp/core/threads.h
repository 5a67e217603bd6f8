// A pool of worker threads that run one function on every index of a range.
// Workers spin briefly after a job, because the next one usually follows within microseconds,
// and then sleep, because an idle engine must not burn a core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gnomon {

// Cores this process may use (its affinity mask), at least 1.
int usable_cores();

class ThreadPool {
public:
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return static_cast<int>(workers_.size()) + 1; }

    // Calls task(i) once for every i in [0, count), the caller working too; returns when all are
    // done. One caller at a time. `task` must not throw.
    void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

private:
    void work();
    void take_tasks();

    std::vector<std::thread> workers_;
    const std::function<void(int64_t)>* task_ = nullptr;
    int64_t count_ = 0;
    std::atomic<int64_t> next_{0};
    std::atomic<int> busy_{0};
    std::atomic<uint64_t> generation_{0};
    std::atomic<bool> is_stopping_{false};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable wake_;
};

}  // namespace gnomon
