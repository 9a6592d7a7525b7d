import AsyncHTTPClient
import NIOCore
import ObjectStore
import TransferCommon

// Requests with a part or an object as their body: small bodies are sent once complete, others as they arrive.

extension S3Client {
    /// Sends a complete part or object. It repeats the request only if the connection failed before a byte was sent,
    /// and never if the request is not idempotent, because the caller may have ended the upload meanwhile.
    ///
    /// - Parameters:
    ///   - digest: the offered digest, which the store checks.
    ///   - commitment: committed when the request is ready to be sent.
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

    /// Sends a body as it arrives. It repeats the request only if no byte of the body was requested.
    ///
    /// - Parameters:
    ///   - body: not empty; the source of `handoff`, which ends when this call returns or throws.
    ///   - commitment: says whether the last byte was sent.
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
                // Buffers that were taken from the source cannot be sent again.
                throw handoff.isBegun ? error.afterBody : error
            }
        }
    }
}
