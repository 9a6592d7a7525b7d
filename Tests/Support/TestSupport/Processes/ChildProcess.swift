import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// State of a child process: its output so far and its exit status.
struct ChildRecord: Sendable {
    var lines: [Program.Line] = []
    var endedOutputs: Set<Program.Output> = []
    var status: Program.ExitStatus?

    /// The exit status, available once the process has exited and all its output has been read.
    var finalStatus: Program.ExitStatus? {
        endedOutputs.count == Program.Output.allCases.count ? status : nil
    }

    var transcript: String {
        lines.map { ($0.output == .standardError ? "2> " : "1> ") + $0.text }.joined(separator: "\n")
    }
}

/// A child process with a thread that spawns it and waits for its exit, and one reader for each output.
final class ChildProcess: Sendable {
    private enum Life {
        case running
        case ended(processorSeconds: Double)
    }

    /// Time limit for reading after the exit: a descendant outside the process group could hold the outputs open
    /// forever.
    private static let outputGrace = TimeAmount.seconds(2)
    private static let memoryInterval = TimeAmount.milliseconds(50)

    let processID: pid_t
    let record: Watched<ChildRecord>

    private let readings: ProcessReadings
    private let readers: [any Channel]
    private let life = Mutex(Life.running)
    private let peakMemory = Mutex(0)

    private init(processID: pid_t, record: Watched<ChildRecord>, readers: [any Channel]) {
        self.processID = processID
        self.record = record
        self.readings = ProcessReadings(processID: processID)
        self.readers = readers
    }

    /// Starts the process and returns once it runs. Ignores cancellation, because a cancelled start could leave a
    /// process that no test ends.
    static func start(_ launch: Launch) async throws -> ChildProcess {
        let record = Watched(ChildRecord())
        let output = try await OutputReader.open(.standardOutput, record: record)
        let error = try await OutputReader.open(.standardError, record: record)
        let child = try await withCheckedThrowingContinuation { continuation in
            // The spawning thread must outlive the process, because the kernel kills the process when that thread ends.
            Thread {
                let spawned = Result {
                    try launch.spawn(standardOutput: output.writingDescriptor, standardError: error.writingDescriptor)
                }
                _ = close(output.writingDescriptor)
                _ = close(error.writingDescriptor)
                let started = spawned.map { processID in
                    ChildProcess(processID: processID, record: record, readers: [output.channel, error.channel])
                }
                continuation.resume(with: started)
                if case .success(let child) = started { child.waitForEnd() }
            }.start()
        }
        child.watchMemory()
        return child
    }

    /// Sends a signal. Does nothing after the exit, because the system may have reused the process ID.
    func send(signal: Int32) {
        life.withLock { life in
            if case .running = life { _ = kill(processID, signal) }
        }
    }

    var processorSeconds: Double {
        life.withLock { life in
            switch life {
            case .running: readings.processorSeconds() ?? 0
            case .ended(let processorSeconds): processorSeconds
            }
        }
    }

    var openDescriptorCount: Int {
        life.withLock { life in
            switch life {
            case .running: readings.openDescriptorCount() ?? 0
            case .ended: 0
            }
        }
    }

    var peakMemoryBytes: Int {
        readMemory()
        return peakMemory.withLock { $0 }
    }

    private func readMemory() {
        life.withLock { life in
            guard case .running = life, let bytes = readings.peakMemoryBytes() else { return }
            peakMemory.withLock { $0 = max($0, bytes) }
        }
    }

    private func watchMemory() {
        let interval = Self.memoryInterval
        readers.first?.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { [weak self] task in
            guard let self, self.record.current.status == nil else { return task.cancel() }
            self.readMemory()
        }
    }

    private func waitForEnd() {
        var information = siginfo_t()
        // WNOWAIT leaves the process a zombie, so that the system cannot reuse its process ID yet.
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let status = life.withLock { life in
            _ = kill(-processID, SIGKILL)
            var status: Int32 = 0
            var usage = rusage()
            while wait4(processID, &status, 0, &usage) < 0, errno == EINTR {}
            life = .ended(processorSeconds: usage.ru_utime.seconds + usage.ru_stime.seconds)
            return Program.ExitStatus(waitStatus: status)
        }
        record.update { $0.status = status }
        for reader in readers {
            reader.eventLoop.scheduleTask(in: Self.outputGrace) { reader.close(promise: nil) }
        }
    }
}

extension Program.ExitStatus {
    /// - Parameter waitStatus: status from `wait`: a signal number in the low seven bits, or an exit code in the next
    ///   eight.
    fileprivate init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xFF) : .killed(signal: signal)
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}
