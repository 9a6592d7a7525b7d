package import NIOCore
package import TransferCommon

/// The bytes of a part or a small object on their way into a store, with what is known of them beforehand.
///
/// The digest is known before the first byte, because the device hashes before it offers. The bytes may come as the
/// device sends them, so the sequence may take long, end early or fail; then nothing may appear in the store.
package struct ObjectBody: Sendable {
    /// What stores iterate: pieces of any size, empty ones included.
    package typealias Bytes = any AsyncSequence<ByteBuffer, any Error> & Sendable

    /// How many bytes the sequence is to give.
    package let byteCount: UInt64
    /// SHA-256 of exactly these bytes.
    package let digest: SHA256Digest
    /// `nil` where nobody has computed it.
    package let md5: MD5Digest?
    /// The bytes themselves.
    package let bytes: Bytes

    /// - Parameter bytes: may throw whatever it likes; the store throws `.bodyFailed` with that as its cause.
    package init<Source: AsyncSequence & Sendable>(
        byteCount: UInt64, digest: SHA256Digest, md5: MD5Digest? = nil, bytes: Source
    ) where Source.Element == ByteBuffer {
        self.byteCount = byteCount
        self.digest = digest
        self.md5 = md5
        self.bytes = UntypedFailure(base: bytes)
    }

    /// A body that is at hand in memory, and so replayable.
    package init(buffers: [ByteBuffer], digest: SHA256Digest, md5: MD5Digest? = nil) {
        let byteCount = buffers.reduce(0) { $0 + UInt64($1.readableBytes) }
        self.init(
            byteCount: byteCount, digest: digest, md5: md5, bytes: BufferSequence(buffers: buffers))
    }
}

/// Makes sequences alike that differ only in what they may throw.
private struct UntypedFailure<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Base.Element == ByteBuffer {
    typealias Element = ByteBuffer
    typealias Failure = any Error

    let base: Base

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator

        mutating func next() async throws -> ByteBuffer? {
            try await next(isolation: nil)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> ByteBuffer? {
            try await base.next(isolation: actor)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: base.makeAsyncIterator())
    }
}

/// Buffers in memory as a sequence that never waits.
private struct BufferSequence: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = Never

    let buffers: [ByteBuffer]

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<ByteBuffer>

        mutating func next() async -> ByteBuffer? {
            rest.popFirst()
        }

        mutating func next(isolation actor: isolated (any Actor)?) async -> ByteBuffer? {
            rest.popFirst()
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: buffers[...])
    }
}
