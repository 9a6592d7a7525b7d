import Cryptography
import NIOCore
import Synchronization
import SystemSupport
import TransferCommon
import WireProtocol

/// A file in staging that is being written, and the digest of the bytes that have been written so far.
///
/// Only one task at a time uses the file, but on different threads. The mutex shows the compiler that this is safe; no
/// thread ever waits for it.
final class StagedFile: Sendable {
    private struct State: ~Copyable {
        let file: OpenFile
        /// `nil` after the digest has been computed.
        var hasher: SHA256Hasher?
        var byteCount: UInt64 = 0
    }

    let path: String
    private let state: Mutex<State>

    init(_ file: consuming OpenFile) throws {
        self.path = file.path
        self.state = Mutex(State(file: file, hasher: try SHA256Hasher()))
    }

    /// Appends buffers to the file, and adds them to its digest.
    func append(_ buffers: [ByteBuffer]) throws {
        try state.withLock { state in
            for buffer in buffers {
                state.hasher?.update(buffer)
                try buffer.withUnsafeReadableBytes { try state.file.write($0, at: state.byteCount) }
                state.byteCount += UInt64(buffer.readableBytes)
            }
        }
    }

    /// Compares the file's digest with the expected one, then makes the file durable.
    ///
    /// - Parameter hasFooter: whether to append a `PartFooter`.
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
