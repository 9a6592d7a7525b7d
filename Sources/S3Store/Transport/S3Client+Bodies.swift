import AsyncHTTPClient
import NIOCore
import ObjectStore
import TransferCommon

// Requests whose body is a part or an object. Small bodies are sent after they have arrived, large ones while they
// arrive.

extension S3Client {
    /// Sends a complete part or object. The client repeats the request only if it is idempotent and no connection could
    /// be made, so that no byte was sent. In other cases the store may have executed the first attempt, so the client
    /// throws the error and the caller decides.
    ///
    /// - Parameters:
    ///   - digest: the announced digest, which the store checks.
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
                return try await self.answer(to: signed, deadline: self.deadline(of: request)) { true }
            } catch {
                throw request.isIdempotent && error.precedesConnection ? error : error.afterBody
            }
        }
    }

    /// Sends a body while it arrives. The client repeats the request only if it has not yet taken a byte of the body.
    ///
    /// - Parameters:
    ///   - body: the body, which must not be empty. Its bytes come through `handoff`.
    ///   - commitment: committed when the last buffer was taken. Before that the store cannot have executed the
    ///     request.
    func stream(
        _ request: S3Request, body: ObjectBody, from handoff: BufferHandoff, commitment: Commitment
    ) async throws(StoreError) -> S3Response {
        guard let length = Int64(exactly: body.byteCount) else { throw StoreError(.tooLarge) }
        return try await repeating(request) { () async throws(S3AttemptFailure) -> S3Response in
            let requestBody = HTTPClientRequest.Body.stream(handoff, length: .known(length))
            let signed = try await self.signed(request, digest: body.digest, body: requestBody)
            do throws(S3AttemptFailure) {
                return try await self.answer(to: signed, deadline: .distantFuture) {
                    commitment.isCommitted
                }
            } catch {
                // The buffers that were taken from the source are gone, so this request cannot be sent again.
                throw handoff.isBegun ? error.afterBody : error
            }
        }
    }
}
