import Cryptography
import NIOCore
import ObjectStore
import Synchronization
import TransferCommon
import WireProtocol

/// Passes a body from its source to the HTTP client, and makes sure that a body with a wrong length or digest never
/// becomes complete at the store.
///
/// The pump holds the last buffer back until the source has ended and the length is right. If the store does not check
/// digests, the pump also computes the digest first. For a wrong body it never sends the last buffer, and a store
/// discards a request whose bytes are not complete.
struct BodyPump: Sendable {
    let body: ObjectBody
    /// Whether the pump checks the digest.
    let verifies: Bool
    /// Receives the MD5 of the passed bytes, to compare with the store's ETag; `nil` if no comparison is needed.
    let sent: SentMD5?
    let handoff: BufferHandoff
    let commitment: Commitment

    /// Passes the body to the handoff. Returns when the HTTP client has taken the last buffer, when the body is wrong,
    /// or when the handoff is closed. A closed handoff counts as success here: the body is not at fault.
    func run() async -> Result<Void, StoreError> {
        let result = await Self.pump(body.bytes, with: self)
        switch result {
        case .success: handoff.finish()
        case .failure(let error): handoff.fail(error)
        }
        return result
    }

    private static func pump(
        _ bytes: some AsyncSequence<ByteBuffer, any Error>, with pump: BodyPump
    ) async -> Result<Void, StoreError> {
        await pump.catching {
            guard let last = try await pump.read(bytes, pass: { await pump.handoff.offer($0) }) else { return }
            // Ignore whether the offer is refused. It is refused if the store has already answered or the call was
            // cancelled, and the result of the request shows which.
            _ = await pump.handoff.offer(last, committing: pump.commitment)
        }
    }

    /// Reads a small body to its end.
    func gather() async -> Result<ByteBuffer, StoreError> {
        await Self.gather(body.bytes, with: self)
    }

    private static func gather(
        _ bytes: some AsyncSequence<ByteBuffer, any Error>, with pump: BodyPump
    ) async -> Result<ByteBuffer, StoreError> {
        await pump.catching {
            var whole = ByteBuffer()
            let last = try await pump.read(bytes) { piece in
                whole.writeImmutableBuffer(piece)
                return true
            }
            guard let last else { return whole }
            guard whole.readableBytes > 0 else { return last }
            whole.writeImmutableBuffer(last)
            return whole
        }
    }

    private func catching<Value>(_ body: () async throws -> Value) async -> Result<Value, StoreError> {
        do {
            return .success(try await body())
        } catch let error as StoreError {
            return .failure(error)
        } catch let error as CryptographyError {
            return .failure(.cryptographyFailed(error))
        } catch {
            return .failure(StoreError(Task.isCancelled ? .cancelled : .bodyFailed, cause: error))
        }
    }

    /// Passes on all buffers except the last one. Throws if the length or the digest is wrong.
    ///
    /// - Returns: the last buffer, which is empty for an empty body; `nil` if `pass` returned `false`, because the
    ///   request needs no more bytes.
    private func read(
        _ bytes: some AsyncSequence<ByteBuffer, any Error>, pass: (ByteBuffer) async -> Bool
    ) async throws -> ByteBuffer? {
        var hasher = verifies ? try SHA256Hasher() : nil
        var md5Hasher = sent == nil ? nil : try MD5Hasher()
        var remaining = body.byteCount
        var last = ByteBuffer()
        for try await buffer in bytes where buffer.readableBytes > 0 {
            guard let byteCount = UInt64(exactly: buffer.readableBytes), byteCount <= remaining else {
                throw StoreError(.sizeMismatch)
            }
            remaining -= byteCount
            hasher?.update(buffer)
            md5Hasher?.update(buffer)
            if remaining == 0 {
                last = buffer
            } else if await !pass(buffer) {
                return nil
            }
        }
        if Task.isCancelled { throw StoreError(.cancelled) }
        guard remaining == 0 else { throw StoreError(.sizeMismatch) }
        if let hasher = hasher.take() {
            guard try hasher.finalize() == body.digest else { throw StoreError(.digestMismatch) }
        }
        if let md5Hasher = md5Hasher.take() { sent?.keep(try md5Hasher.finalize()) }
        return last
    }
}

/// The MD5 of a body, set when the whole body has been read.
final class SentMD5: Sendable {
    private let value = Mutex<MD5Digest?>(nil)

    var md5: MD5Digest? { value.withLock { $0 } }

    func keep(_ md5: MD5Digest) {
        value.withLock { $0 = md5 }
    }
}
