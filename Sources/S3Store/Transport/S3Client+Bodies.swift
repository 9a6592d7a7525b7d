import AsyncHTTPClient
import NIOCore
import ObjectStore
import TransferCommon

// Requests that carry a part or an object: a small one when it is whole, others as they come.

extension S3Client {
    /// Sends a part or an object that is whole. It is repeated only where nothing of it has gone out, and not at all
    /// where twice is not as good as once: the caller may have ended it meanwhile.
    ///
    /// - Parameters:
    ///   - digest: what it is said to have, for the store to check.
    ///   - commitment: made when all is ready to go out.
    func put(
        _ request: S3Request, whole body: ByteBuffer, digest: SHA256Digest, commitment: Commitment
    ) async throws(StoreError) -> S3Response {
        try await repeating(request) { () async throws(S3AttemptFailure) -> S3Response in
            let signed = try await self.signed(request, digest: digest, body: body.asRequestBody)
            guard commitment.commit() else {
                throw S3AttemptFailure(error: StoreError(.cancelled), remedy: .none, isUndone: true)
            }
            do throws(S3AttemptFailure) {
                return try await self.answer(to: signed, request, deadline: self.deadline(of: request)) { true }
            } catch {
                throw request.isIdempotent && error.precedesConnection ? error : error.afterBody
            }
        }
    }

    /// Sends a body as it comes. It is repeated only where nobody has asked for a byte of it.
    ///
    /// - Parameters:
    ///   - body: not empty; the source of `handoff`, which ends where this returns or throws.
    ///   - commitment: tells whether the last byte has gone out.
    func stream(
        _ request: S3Request, body: ObjectBody, from handoff: BufferHandoff, commitment: Commitment
    ) async throws(StoreError) -> S3Response {
        guard let length = Int64(exactly: body.byteCount) else { throw StoreError(.tooLarge) }
        return try await repeating(request) { () async throws(S3AttemptFailure) -> S3Response in
            let requestBody = HTTPClientRequest.Body.stream(handoff, length: .known(length))
            let signed = try await self.signed(request, digest: body.digest, body: requestBody)
            do throws(S3AttemptFailure) {
                return try await self.answer(to: signed, request, deadline: .distantFuture) {
                    commitment.isCommitted
                }
            } catch {
                // What has been taken from the source cannot be sent again.
                throw handoff.isBegun ? error.afterBody : error
            }
        }
    }
}
