import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What is known of a child process so far.
struct ChildRecord: Sendable {
    var lines: [Program.Line] = []
    var endedOutputs: Set<Program.Output> = []
    var status: Program.ExitStatus?

    /// How it ended, once everything that it printed has been read.
    var finalStatus: Program.ExitStatus? {
        endedOutputs.count == Program.Output.allCases.count ? status : nil
    }

    var transcript: String {
        lines.map { ($0.output == .standardError ? "2> " : "1> ") + $0.text }.joined(separator: "\n")
    }
}

/// A child process, and those who watch it: a thread that spawns it and waits for its end, and a reader for each
/// output.
final class ChildProcess: Sendable {
    private enum Life {
        case running
        case ended(processorSeconds: Double)
    }

    /// Descendants that left the process group could hold the outputs open for ever. They get this long.
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

    /// Returns once the process runs. No cancellation stops it half-way, or the process would be nobody's.
    static func start(_ launch: Launch) async throws -> ChildProcess {
        let record = Watched(ChildRecord())
        let output = try await OutputReader.open(.standardOutput, record: record)
        let error = try await OutputReader.open(.standardError, record: record)
        let child = try await withCheckedThrowingContinuation { continuation in
            // The thread that spawned the process has to live as long: the system kills the process at its end.
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

    /// Does nothing once the process has ended: its number may be another's by then.
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
        // The process is only looked at here and stays a zombie, so that its number cannot become another's.
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
    /// - Parameter waitStatus: as `wait` gives it: a signal in the low seven bits, or else a code in the next eight.
    fileprivate init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xFF) : .killed(signal: signal)
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}
