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

    /// The last part is known as such when it is read, also where the stream ends with it.
    @Test(arguments: [0, 1, 999, 1_000, 1_001, 2_000, 2_345])
    func givesPartsAndKnowsTheLast(bytes: Int) throws {
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

    /// A read that waits for bytes nobody writes ends when it is told to.
    @Test func stopsWaiting() async throws {
        let pipe = Pipe()
        let stream = SourceStream(descriptor: pipe.fileHandleForReading.fileDescriptor)
        async let reading = Task.detached { stream.read(start: 0, bytesMax: 10, withMD5: false).reading }.value
        stream.stop()
        guard case .failed(let failure) = await reading else { return #expect(Bool(false), "it went on") }
        #expect(failure.kind == .stopped)
        withExtendedLifetime(pipe) {}
    }
}
