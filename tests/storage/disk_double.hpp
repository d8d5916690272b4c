// Stands between the test program (LMDB included) and the disk: records what is written and synced below one folder,
// can ignore syncs, and can fail the n-th call. Works by defining pwrite, pwritev, writev, fdatasync, ... in the
// program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>

namespace merpati::storage::testing::disk {

/// From now on calls on files below `folder` are recorded. What is there already counts as synced.
void record(const std::filesystem::path& folder);
void stop();
/// Goes on after stop(): what happened below the folder meanwhile must be nothing.
void resume();
/// Syncs are recorded as never done (and still succeed).
void ignore_syncs(bool yes);
/// Writes to `to` what a power cut could leave: everything synced, and of what was not synced a random part of the
/// writes and of the names.
void power_cut_image(const std::filesystem::path& to, std::mt19937_64& random);

/// The n-th call (1, 2, ...) that changes the disk fails with `number`; 0: none does.
void fail_call(std::uint64_t n, int number);
/// Before the n-th call the process dies by SIGKILL.
void kill_at_call(std::uint64_t n);
/// How many calls there were since fail_call.
std::uint64_t calls();

} // namespace merpati::storage::testing::disk
