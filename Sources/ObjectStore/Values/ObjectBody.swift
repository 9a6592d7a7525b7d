package import NIOCore
package import TransferCommon

/// The bytes of a part or a small object that a store is to write, with their size and digests.
///
/// The digest is known before the first byte, because the device hashes a part before it offers the part to the
/// gateway. The bytes may arrive while the device is still sending them, so the sequence may take long, end early or
/// fail. If it ends early or fails, the store must keep nothing.
package struct ObjectBody: Sendable {
    /// The type of `bytes`: a sequence of buffers of any size. A buffer may be empty.
    package typealias Bytes = any AsyncSequence<ByteBuffer, any Error> & Sendable

    /// Number of bytes that the sequence must have.
    package let byteCount: UInt64
    /// SHA-256 of these bytes.
    package let digest: SHA256Digest
    /// MD5 of these bytes; `nil` if neither the device nor the gateway has computed it.
    package let md5: MD5Digest?
    /// The bytes of the part or object, in order.
    package let bytes: Bytes

    /// - Parameter bytes: the bytes. If the sequence throws an error, the store throws `.bodyFailed` with this error as
    ///   its cause.
    package init<Source: AsyncSequence & Sendable>(
        byteCount: UInt64, digest: SHA256Digest, md5: MD5Digest? = nil, bytes: Source
    ) where Source.Element == ByteBuffer {
        self.byteCount = byteCount
        self.digest = digest
        self.md5 = md5
        self.bytes = UntypedFailure(base: bytes)
    }

    /// Makes a body whose bytes are in memory.
    package init(buffers: [ByteBuffer], digest: SHA256Digest, md5: MD5Digest? = nil) {
        let byteCount = buffers.reduce(0) { $0 + UInt64($1.readableBytes) }
        self.init(
            byteCount: byteCount, digest: digest, md5: md5, bytes: BufferSequence(buffers: buffers))
    }
}

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
