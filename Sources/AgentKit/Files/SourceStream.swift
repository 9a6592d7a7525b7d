import Cryptography
package import NIOCore
import SecureChannel
import Synchronization
package import TransferCore
import WireProtocol

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Where an upload's bytes come from.
enum UploadSource: Sendable {
    case file(SourceFile)
    case stream(SourceStream)

    var file: SourceFile? {
        if case .file(let file) = self { file } else { nil }
    }

    var stream: SourceStream? {
        if case .stream(let stream) = self { stream } else { nil }
    }
}

/// Bytes that come once and in order, such as standard input. Each part is held in memory until the store has it, so
/// that a cut connection costs nothing; a run that ends loses what it has read.
package final class SourceStream: Sendable {
    /// What stands for standard input where a path is asked for.
    package static let path = "-"

    /// Read at a time, and how long a read waits before it looks whether it is still wanted.
    private static let stepBytes = 1 << 20
    private static let patienceMilliseconds: Int32 = 200

    private struct State {
        var position: UInt64 = 0
        /// The first bytes of the next part, which showed that the one before is not the last.
        var ahead = ByteBuffer()
        var hasEnded = false
    }

    private let descriptor: Int32
    /// Whose output it is, where that is known.
    private let command: CommandOutput?
    private let expectedBytes: UInt64?
    private let state = Mutex(State())
    private let isStopped = Atomic(false)

    /// - Parameters:
    ///   - descriptor: stays the caller's; 0 for standard input.
    ///   - expectedBytes: how many bytes have to come for the stream to be whole; `nil` for any number.
    package init(descriptor: Int32, expectedBytes: UInt64? = nil) {
        self.descriptor = descriptor
        self.expectedBytes = expectedBytes
        command = nil
    }

    /// The output of a command, which is whole only if the command succeeds.
    package init(_ command: CommandOutput, expectedBytes: UInt64? = nil) {
        descriptor = command.descriptor
        self.expectedBytes = expectedBytes
        self.command = command
    }

    /// Makes a read that waits for bytes give up. A command is told to end.
    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        command?.stop()
    }

    /// Reads the next part, which is the last where fewer bytes come than were asked for, or nothing follows.
    ///
    /// - Parameter start: where the part begins; what has been read before cannot be read again.
    package func read(start: UInt64, bytesMax: UInt64, withMD5: Bool) -> (reading: PartReading, kept: ByteBuffer?) {
        do {
            return try state.withLock { state in
                guard start == state.position, !state.hasEnded else {
                    throw UploadFailure(.sessionLost, "a part has to be sent again, and a stream cannot be read again")
                }
                let wanted = Int(clamping: bytesMax)
                var part = ByteBufferAllocator().buffer(capacity: min(wanted, Self.stepBytes))
                part.writeBuffer(&state.ahead)
                state.hasEnded = try !fill(&part, upTo: wanted)
                if !state.hasEnded {
                    var next = ByteBufferAllocator().buffer(capacity: 1)
                    state.hasEnded = try !fill(&next, upTo: 1)
                    state.ahead = next
                }
                state.position += UInt64(part.readableBytes)
                try check(state)
                var sha256 = try SHA256Hasher()
                sha256.update(part)
                var md5 = try withMD5 ? MD5Hasher() : nil
                md5?.update(part)
                let reading = PartReading.readOfStream(
                    digest: try sha256.finalize(), md5: try md5.take()?.finalize(), bytes: UInt64(part.readableBytes),
                    isLast: state.hasEnded)
                return (reading, part)
            }
        } catch let failure as UploadFailure {
            return (.failed(failure), nil)
        } catch {
            return (.failed(UploadFailure(.unreadable, "it cannot be hashed: \(error)")), nil)
        }
    }

    /// A producer that dies ends its stream as if that were all. Before the last part is given away, which completes
    /// the object, everything that is known of the producer has to say that it is whole.
    private func check(_ state: State) throws(UploadFailure) {
        let seen = state.position + UInt64(state.ahead.readableBytes)
        if let expectedBytes, seen > expectedBytes {
            throw .incomplete("more than the expected \(expectedBytes) bytes came")
        }
        guard state.hasEnded else { return }
        try command?.waitForSuccess { isStopped.load(ordering: .relaxed) }
        if let expectedBytes, seen < expectedBytes {
            throw .incomplete("only \(seen) of the expected \(expectedBytes) bytes came")
        }
    }

    /// - Returns: whether there were as many bytes.
    private func fill(_ buffer: inout ByteBuffer, upTo count: Int) throws(UploadFailure) -> Bool {
        while buffer.readableBytes < count {
            try waitForBytes()
            var problem: Int32 = 0
            let missing = min(count - buffer.readableBytes, Self.stepBytes)
            let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { space in
                let got = systemRead(descriptor, space.baseAddress, missing)
                problem = got < 0 ? errno : 0
                return max(got, 0)
            }
            if problem == EINTR || problem == EAGAIN { continue }
            guard problem == 0 else {
                throw UploadFailure(.unreadable, "the stream cannot be read: \(systemMessage(problem))")
            }
            guard got > 0 else { return false }
        }
        return true
    }

    private func waitForBytes() throws(UploadFailure) {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            guard !isStopped.load(ordering: .relaxed) else { throw UploadFailure(.stopped, "interrupted") }
            let ready = poll(&polled, 1, Self.patienceMilliseconds)
            if ready > 0 || ready < 0 && errno != EINTR { return }
        }
    }
}

/// The system's own function, where a method bears the same name.
private func systemRead(_ descriptor: Int32, _ space: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, space, count)
}

extension UploadFailure {
    /// A producer did not give what it should have: nothing of it may become an object.
    static func incomplete(_ cause: String) -> UploadFailure { UploadFailure(.incomplete, cause) }
}
