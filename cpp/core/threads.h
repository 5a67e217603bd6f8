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
    void run_block(const std::function<void(int64_t)>& task, int64_t block);

    std::vector<std::thread> workers_;
    // The job under way: its number (32 bits), the next unclaimed block (16) and how many blocks
    // there are (16). One word, so that a worker that comes late can only claim what is still to
    // be done, and nobody need wait for it.
    std::atomic<uint64_t> job_{0};
    std::atomic<const std::function<void(int64_t)>*> task_{nullptr};
    std::atomic<int64_t> count_{0}, block_size_{1};
    std::atomic<int64_t> done_{0};
    std::atomic<bool> is_stopping_{false};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable wake_;
};

}  // namespace gnomon
