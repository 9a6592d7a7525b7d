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

/// Source of an upload's bytes.
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

/// Bytes that arrive once and in order, such as standard input. Memory holds each part until the store has confirmed
/// it, so that a lost connection loses nothing. A later run cannot read the same bytes again, so a stream cannot be
/// resumed after its run has ended.
package final class SourceStream: Sendable {
    /// The argument that stands for standard input in the place of a path.
    package static let path = "-"

    /// `stepBytes`: bytes per read. `patienceMilliseconds`: while the stream has no bytes, the time between two checks
    /// of `isStopped`.
    private static let stepBytes = 1 << 20
    private static let patienceMilliseconds: Int32 = 200

    private struct State {
        var position: UInt64 = 0
        /// The first byte of the next part. It is read together with the current part, to find out whether the current
        /// part is the last one.
        var ahead = ByteBuffer()
        var hasEnded = false
    }

    private let descriptor: Int32
    /// The command that writes the stream; `nil` for a plain descriptor.
    private let command: CommandOutput?
    private let expectedBytes: UInt64?
    private let state = Mutex(State())
    private let isStopped = Atomic(false)

    /// - Parameters:
    ///   - descriptor: the descriptor to read, 0 for standard input. The caller has to close it.
    ///   - expectedBytes: exact size of the complete stream; `nil` for any size.
    package init(descriptor: Int32, expectedBytes: UInt64? = nil) {
        self.descriptor = descriptor
        self.expectedBytes = expectedBytes
        command = nil
    }

    /// Reads the output of a command. The stream counts as complete only if the command exits with status 0.
    package init(_ command: CommandOutput, expectedBytes: UInt64? = nil) {
        descriptor = command.descriptor
        self.expectedBytes = expectedBytes
        self.command = command
    }

    /// Throws if standard input cannot be read, so that no upload begins for it. A program whose standard input is
    /// closed has a descriptor there that can only be written (`StandardDescriptors`).
    package static func checkStandardInput() throws(UploadFailure) {
        var status = stat()
        guard fstat(STDIN_FILENO, &status) == 0, fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE != O_WRONLY else {
            throw UploadFailure(.unreadable, "standard input is closed; connect it to the stream that is to be sent")
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw UploadFailure(.unreadable, "standard input is a directory; name the directory instead of -")
        }
    }

    /// Makes a read that waits for bytes fail with `stopped`, and sends SIGTERM to the command.
    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        command?.stop()
    }

    /// Reads the next part. The part is the last one if the stream ends within it or directly after it.
    ///
    /// - Parameter start: offset of the part. Must be the current position, because a stream cannot be read again.
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
            return (.failed(.cannotProcess(error)), nil)
        }
    }

    /// Checks the expected size and, after the end of the stream, the exit status of the command: a program that
    /// crashes closes its output just like a program that succeeds. `read` calls this before it returns the last part,
    /// because the agent then completes the object.
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

    /// - Returns: whether the buffer has `count` bytes now. `false` if the stream ended earlier.
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
                throw UploadFailure(
                    .unreadable,
                    "the stream cannot be read (\(systemMessage(problem))); fix that, then push the stream again")
            }
            guard got > 0 else { return false }
        }
        return true
    }

    private func waitForBytes() throws(UploadFailure) {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            guard !isStopped.load(ordering: .relaxed) else { throw UploadFailure.interrupted }
            let ready = poll(&polled, 1, Self.patienceMilliseconds)
            if ready > 0 || ready < 0 && errno != EINTR { return }
        }
    }
}

/// Inside `SourceStream`, the name `read` means the method of that type.
private func systemRead(_ descriptor: Int32, _ space: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, space, count)
}

extension UploadFailure {
    /// The failure for a stream that its producer did not complete. No object may be created from such a stream.
    static func incomplete(_ cause: String) -> UploadFailure { UploadFailure(.incomplete, cause) }
}
