import AgentKit
import Foundation
import NIOCore
import TestSupport
import Testing
import TransferCore
import WireProtocol

@Suite struct SourceStreamTests {
    private struct Part: Equatable {
        var bytes: UInt64
        var isLast: Bool
        var content: [UInt8]
    }

    private static func read(_ stream: SourceStream, start: UInt64) -> Part? {
        let (reading, kept) = stream.read(start: start, bytesMax: 1_000, withMD5: false)
        guard case .readOfStream(_, _, let bytes, let isLast) = reading, let kept else { return nil }
        return Part(bytes: bytes, isLast: isLast, content: Array(kept.readableBytesView))
    }

    /// The stream marks its last part as the last even if it ends exactly at the end of a full part.
    @Test(arguments: [0, 1, 999, 1_000, 1_001, 2_000, 2_345])
    func yieldsPartsAndMarksTheLast(bytes: Int) throws {
        let content = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(content))
        try pipe.fileHandleForWriting.close()
        let stream = SourceStream(descriptor: pipe.fileHandleForReading.fileDescriptor)
        var parts: [Part] = []
        repeat {
            parts.append(try #require(Self.read(stream, start: UInt64(parts.count) * 1_000)))
        } while parts.last?.isLast == false
        #expect(parts.flatMap(\.content) == content)
        #expect(parts.count == max((bytes + 999) / 1_000, 1))
        withExtendedLifetime(pipe) {}
    }

    @Test func nothingIsReadTwice() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(repeating: 1, count: 2_500))
        let stream = SourceStream(descriptor: pipe.fileHandleForReading.fileDescriptor)
        #expect(Self.read(stream, start: 0)?.bytes == 1_000)
        let (again, _) = stream.read(start: 0, bytesMax: 1_000, withMD5: false)
        guard case .failed(let failure) = again else {
            Issue.record("\(again)")
            return
        }
        #expect(failure.kind == .sessionLost)
        withExtendedLifetime(pipe) {}
    }

    @Test func stopsWaiting() async throws {
        let pipe = Pipe()
        let stream = SourceStream(descriptor: pipe.fileHandleForReading.fileDescriptor)
        async let reading = Task.detached { stream.read(start: 0, bytesMax: 10, withMD5: false).reading }.value
        stream.stop()
        guard case .failed(let failure) = await reading else { return #expect(Bool(false), "the read succeeded") }
        #expect(failure.kind == .stopped)
        withExtendedLifetime(pipe) {}
    }

    // MARK: Incomplete streams

    private func readAll(_ stream: SourceStream) -> PartReading {
        var start: UInt64 = 0
        while true {
            let (reading, _) = stream.read(start: start, bytesMax: 1_000, withMD5: false)
            guard case .readOfStream(_, _, let bytes, isLast: false) = reading else { return reading }
            start += bytes
        }
    }

    private func expectIncomplete(
        _ reading: PartReading, _ cause: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard case .failed(let failure) = reading else {
            Issue.record("\(reading)", sourceLocation: sourceLocation)
            return
        }
        #expect(failure.kind == .incomplete, sourceLocation: sourceLocation)
        #expect(failure.message.contains(cause), "\(failure.message)", sourceLocation: sourceLocation)
    }

    @Test(arguments: [0, 1, 1_000, 1_001, 2_500])
    func checksExpectedSize(bytes: Int) throws {
        for expected in [0, 1, 999, 1_000, 1_001, 2_000, 2_500] as [UInt64] {
            let pipe = Pipe()
            try pipe.fileHandleForWriting.write(contentsOf: Data(count: bytes))
            try pipe.fileHandleForWriting.close()
            let reading = readAll(
                SourceStream(descriptor: pipe.fileHandleForReading.fileDescriptor, expectedBytes: expected))
            if expected == UInt64(bytes) {
                guard case .readOfStream(_, _, _, isLast: true) = reading else {
                    Issue.record("\(reading)")
                    continue
                }
            } else {
                expectIncomplete(reading, "expected \(expected) bytes")
            }
            withExtendedLifetime(pipe) {}
        }
    }

    @Test func outputOfFailedCommandIsIncomplete() throws {
        func read(_ line: String, expectedBytes: UInt64? = nil) throws -> PartReading {
            readAll(SourceStream(try CommandOutput.start(["sh", "-c", line]), expectedBytes: expectedBytes))
        }
        guard case .readOfStream(_, _, 5, isLast: true) = try read("echo four") else {
            Issue.record("a command that succeeds")
            return
        }
        expectIncomplete(try read("echo four; exit 3"), "exit status 3")
        expectIncomplete(try read("exit 1"), "exit status 1")
        expectIncomplete(try read("head -c 5000 /dev/zero; kill -9 $$"), "signal 9")
        // This command closes its output before it fails. The stream must wait for the exit status and report the
        // failure.
        expectIncomplete(try read("echo four; exec >&-; sleep 0.2; exit 4"), "exit status 4")
        expectIncomplete(try read("echo four", expectedBytes: 6), "only 5 of the expected 6 bytes")
    }

    @Test func missingCommandIsReported() {
        let failure = #expect(throws: UploadFailure.self) { try CommandOutput.start(["/no/such/program"]) }
        #expect(failure?.message.contains("/no/such/program cannot be started (No such file") == true)
    }

    @Test(.timeLimit(.minutes(5))) func aStoppedStreamEndsItsCommand() async throws {
        let command = try CommandOutput.start(["sh", "-c", "exec sleep 1000"])
        let stream = SourceStream(command)
        async let reading = Task.detached { stream.read(start: 0, bytesMax: 10, withMD5: false).reading }.value
        stream.stop()
        guard case .failed = await reading else { return #expect(Bool(false), "the read succeeded") }
        // The end of the command's output shows that the command has exited.
        #expect(FileHandle(fileDescriptor: command.descriptor).readDataToEndOfFile().isEmpty)
    }
}
