import AgentKit
import Foundation
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of detecting processes that write a file.
@Suite(.timeLimit(.minutes(5))) struct SourceFileLookTests {
    private static let shell = Executable(path: "/bin/sh")

    /// The new `FileClock` gives no time until its first reading is two seconds old.
    private func withFile(
        in parent: String? = nil, _ body: (URL, FileClock) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let folder = parent.map { URL(filePath: $0) } ?? directory
            let file = folder.appending(path: "look-\(UUID().uuidString)")
            try Data("content".utf8).write(to: file)
            defer { unlink(file.path(percentEncoded: false)) }
            try await body(file, FileClock(path: directory.appending(path: "clock").path(percentEncoded: false)))
        }
    }

    private func look(_ file: URL, _ clock: FileClock) throws -> FileSettling.Look {
        try SourceFile.open(file.path(percentEncoded: false)).look(clock: clock)
    }

    /// Looks at the file again and again until the kernel grants the read lease. When another test starts a program,
    /// the new process holds copies of all descriptors for a moment, also of those that this test has just closed. The
    /// kernel refuses the lease until the new process has closed its copies.
    private func lookUntilGranted(_ file: URL, _ clock: FileClock) async throws -> FileSettling.Look {
        while true {
            let look = try look(file, clock)
            if look.lease == .granted { return look }
            // The process that another test has started closes its copies when it executes its program. No event
            // reports this, so poll. The test's time limit ends the loop.
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func unwrittenFileIsLeased() async throws {
        try await withFile { file, clock in
            let look = try await lookUntilGranted(file, clock)
            #expect(look.stamp.size == 7)
            // The look releases its lease when it ends, so no writer has to wait.
            let again = open(file.path(percentEncoded: false), O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(again >= 0)
            close(again)
        }
    }

    @Test func fileOpenForWritingIsNotLeased() async throws {
        try await withFile { file, clock in
            let writer = try FileHandle(forUpdating: file)
            #expect(try look(file, clock).lease == .refused)
            try writer.close()
            _ = try await lookUntilGranted(file, clock)
        }
    }

    @Test func fileMappedForWritingIsNotLeased() async throws {
        try await withFile { file, clock in
            let writer = open(file.path(percentEncoded: false), O_RDWR | O_CLOEXEC)
            let pages = mmap(nil, 7, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0)
            close(writer)
            let mapped = try look(file, clock)
            #expect(mapped.lease == .refused)
            munmap(pages, 7)
            _ = try await lookUntilGranted(file, clock)
        }
    }

    /// When another process opens the file, the kernel signals the holder of the lease. The default signal, SIGIO,
    /// would end this process.
    @Test func brokenLeaseDoesNotEndTheProcess() async throws {
        try await withFile { file, clock in
            let path = file.path(percentEncoded: false)
            _ = try await lookUntilGranted(file, clock)
            let source = try SourceFile.open(path)
            #expect(source.takeReadLease() == .granted)
            // Open the file without blocking, so that the attempt fails at once while the lease is held.
            let command =
                "import os, sys\ntry: os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)\n"
                + "except BlockingIOError: print('leased')"
            let attempt = try await run(Executable.inSearchPath("python3"), ["-c", command, path])
            #expect(attempt.lines(of: .standardOutput) == ["leased"], "\(attempt.transcript)")
            try await withProgram(Self.shell, ["-c", "echo more >> '\(path)'"]) { writer in
                source.releaseReadLease()
                let ended = try await writer.waitForExit()
                #expect(ended == .exited(0))
            }
            #expect(try source.stamp().size == 12)
        }
    }

    @Test func falseSizesAreRefused() async throws {
        try await withFile { _, clock in
            for path in ["/proc/cpuinfo", "/proc/self/status", "/sys/class/net/lo/mtu"] {
                let failure = #expect(throws: UploadFailure.self) { _ = try look(URL(filePath: path), clock) }
                #expect(failure?.kind == .unreadable)
                #expect(failure?.message.contains("size cannot be trusted") == true, "\(path): \(failure as Any)")
            }
        }
    }

    @Test(arguments: [0, 1, 5_000]) func trueSizesAreAccepted(bytes: Int) async throws {
        try await withFile { file, clock in
            try Data(count: bytes).write(to: file)
            #expect(try look(file, clock).stamp.size == UInt64(bytes))
        }
    }

    @Test func memoryFileSystemStampsAreUnreliable() async throws {
        try await withFile(in: "/dev/shm") { file, clock in
            let look = try look(file, clock)
            #expect(look.fileSystem == .local)
        }
    }
}

/// Tests of the clock that dates changes of files. The agent uses it only while it knows that no program has set the
/// clock.
@Suite struct FileClockTests {
    private static let boot = "/proc/sys/kernel/random/boot_id"

    private func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// The content of the clock's file, as a run wrote it `secondsAgo` seconds ago. Since then the clock was set by
    /// `step` nanoseconds.
    private func kept(secondsAgo: Int64, setBy step: Int64 = 0, boot: String? = nil) throws -> String {
        let name = try String(contentsOfFile: Self.boot, encoding: .utf8)
        let age = nanoseconds(CLOCK_BOOTTIME)
        let difference = nanoseconds(CLOCK_REALTIME) - age
        let boot = boot ?? name.trimmingCharacters(in: .whitespacesAndNewlines)
        return "\(boot) \(age - secondsAgo * 1_000_000_000) \(difference - step)\n"
    }

    private func isTold(_ kept: String?) async throws -> Bool {
        var isTold = false
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "clock").path(percentEncoded: false)
            try kept?.write(toFile: path, atomically: true, encoding: .utf8)
            let time = FileClock(path: path).now()
            isTold = time != nil
            if let time { #expect(abs(time.seconds - nanoseconds(CLOCK_REALTIME) / 1_000_000_000) <= 5) }
            #expect(FileManager.default.fileExists(atPath: path))
        }
        return isTold
    }

    @Test func clockCountsAfterASteadyTime() async throws {
        #expect(try await isTold(kept(secondsAgo: 3)))
        #expect(try await !isTold(kept(secondsAgo: 1)))
    }

    @Test func clockDoesNotCountIfItMayHaveBeenSet() async throws {
        #expect(try await !isTold(nil))
        #expect(try await !isTold(kept(secondsAgo: 100, setBy: 1_000_000_000)))
        #expect(try await !isTold(kept(secondsAgo: 100, setBy: -1_000_000_000)))
        #expect(try await !isTold(kept(secondsAgo: 100, boot: "another")))
        #expect(try await !isTold(kept(secondsAgo: -100)))
        for text in ["", "x", "a b c", "a 1 \(Int64.min)", "\(Int64.max) \(Int64.max) \(Int64.max)"] {
            #expect(try await !isTold(text))
        }
    }
}
