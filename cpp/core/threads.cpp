#include "core/threads.h"

#include <sched.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gnomon {
namespace {

constexpr int kSpins = 4000;  // some tens of microseconds
constexpr int kSpinsBeforeYield = 1000;
constexpr int64_t kMostBlocks = 0xffff;

uint64_t make_job(uint64_t number, int64_t blocks) {
    return number << 32 | static_cast<uint64_t>(blocks);
}
uint64_t number_of(uint64_t job) { return job >> 32; }
int64_t next_of(uint64_t job) { return static_cast<int64_t>(job >> 16 & 0xffff); }
int64_t blocks_of(uint64_t job) { return static_cast<int64_t>(job & 0xffff); }
constexpr uint64_t kOneClaim = uint64_t{1} << 16;

void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

}  // namespace

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
    return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        is_stopping_.store(true);
        job_.store(make_job(number_of(job_.load()) + 1, 0));
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
}

void ThreadPool::run_block(const std::function<void(int64_t)>& task, int64_t block) {
    const int64_t begin = block * block_size_.load(std::memory_order_relaxed);
    const int64_t end = std::min(begin + block_size_.load(std::memory_order_relaxed), count_.load());
    for (int64_t i = begin; i < end; ++i) task(i);
}

void ThreadPool::take_tasks() {
    uint64_t job = job_.load();
    while (next_of(job) < blocks_of(job)) {
        // Read before the claim: if the claim succeeds, this job was under way all along.
        const auto* task = task_.load();
        if (!job_.compare_exchange_weak(job, job + kOneClaim)) continue;
        run_block(*task, next_of(job));
        done_.fetch_add(1);
        job = job_.load();
    }
}

void ThreadPool::work() {
    uint64_t seen = 0;
    for (;;) {
        uint64_t now = number_of(job_.load());
        for (int spin = 0; now == seen && spin < kSpins; ++spin) {
            pause_briefly();
            now = number_of(job_.load());
        }
        if (now == seen) {
            std::unique_lock<std::mutex> lock(mutex_);
            sleepers_.fetch_add(1);
            wake_.wait(lock, [&] { return number_of(job_.load()) != seen; });
            sleepers_.fetch_sub(1);
            now = number_of(job_.load());
        }
        seen = now;
        if (is_stopping_.load()) return;
        take_tasks();
    }
}

void ThreadPool::parallel_for(int64_t count, const std::function<void(int64_t)>& task) {
    if (workers_.empty() || count <= 1) {
        for (int64_t i = 0; i < count; ++i) task(i);
        return;
    }
    const int64_t size = (count + kMostBlocks - 1) / kMostBlocks;
    const int64_t blocks = (count + size - 1) / size;
    task_.store(&task);
    count_.store(count);
    block_size_.store(size);
    done_.store(0);
    job_.store(make_job(number_of(job_.load()) + 1, blocks));
    if (sleepers_.load() > 0) {
        std::lock_guard<std::mutex> lock(mutex_);
        wake_.notify_all();
    }
    take_tasks();
    for (int spin = 0; done_.load() != blocks; ++spin) {
        if (spin < kSpinsBeforeYield)
            pause_briefly();
        else
            std::this_thread::yield();  // the one we wait for may need this very core
    }
}

}  // namespace gnomon
