import Cryptography
import NIOCore
import Synchronization
import SystemSupport
import TransferCommon
import WireProtocol

/// A file in staging that is being filled, and the digest of what has been put into it.
///
/// One task at a time uses it, from one thread after the other; the mutex is never waited for.
final class StagedFile: Sendable {
    private struct State: ~Copyable {
        let file: OpenFile
        /// `nil` once the digest has been taken.
        var hasher: SHA256Hasher?
        var byteCount: UInt64 = 0
    }

    let path: String
    private let state: Mutex<State>

    init(_ file: consuming OpenFile) throws {
        self.path = file.path
        self.state = Mutex(State(file: file, hasher: try SHA256Hasher()))
    }

    /// Writes buffers behind what has been written.
    func append(_ buffers: [ByteBuffer]) throws {
        try state.withLock { state in
            for buffer in buffers {
                state.hasher?.update(buffer)
                try buffer.withUnsafeReadableBytes { try state.file.write($0, at: state.byteCount) }
                state.byteCount += UInt64(buffer.readableBytes)
            }
        }
    }

    /// Checks the bytes against what was offered, and only then makes them durable.
    ///
    /// - Parameter hasFooter: a `PartFooter` follows the bytes.
    func finish(expecting digest: SHA256Digest, hasFooter: Bool) throws -> FinishedFile {
        try state.withLock { state in
            guard let hasher = state.hasher.take(), try hasher.finalize() == digest else {
                throw StoreError(.digestMismatch)
            }
            if hasFooter {
                let footer = PartFooter(size: state.byteCount, digest: digest)
                try state.file.write(footer.bytes, at: state.byteCount)
            }
            try state.file.sync()
            return FinishedFile(
                path: path, status: try state.file.status(), generation: state.file.generation())
        }
    }
}
