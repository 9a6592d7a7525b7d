import ObjectStore
import TransferCommon

/// The part of the probe that finds out whether a store compares a part with its digest.
struct ProbeDigests {
    let probe: StoreProbe

    /// Uploads a part with a wrong digest. If the store accepts the part, completes the upload with it, because some
    /// stores accept a part number only once. The stored byte is right: only the announced digest was wrong. If the
    /// store refuses the part, uploads it with the right digest, and then completes the upload.
    ///
    /// - Returns: whether the store has refused the wrong digest, or the error if it did not answer; and the ETag of
    ///   the part in the completed upload.
    func completeUpload() async throws(StoreError) -> (Result<Bool, StoreError>, etag: String) {
        let upload = try await probe.uploads.create(at: probe.key, metadata: probe.metadata).id
        do throws(StoreError) {
            let isChecked: Result<Bool, StoreError>
            var part: CompletedPart?
            do throws(StoreError) {
                part = try await probe.calls.repeating { () async throws(StoreError) in
                    try await partOfWrongDigest(upload: upload)
                }
                isChecked = .success(part == nil)
            } catch {
                guard error.leavesQuestionOpen else { throw error }
                isChecked = .failure(error)
            }
            let sent: CompletedPart
            if let part { sent = part } else { sent = try await probe.uploadPart(upload, offering: probe.digest) }
            _ = try await probe.complete(upload, sent, .none)
            return (isChecked, sent.etag)
        } catch {
            await probe.abort(upload)
            throw error
        }
    }

    /// - Returns: `nil` if the store refuses the part, as it should.
    private func partOfWrongDigest(upload: String) async throws(StoreError) -> CompletedPart? {
        do {
            var part = try await probe.uploadPart(upload, offering: probe.otherDigest)
            part.digest = probe.digest
            return part
        } catch {
            // Any refusal shows that the store checks the digest, whatever its error code. Errors with another evident
            // cause do not count and are thrown.
            guard error.isRefusal, error.reason != .denied, error.reason != .uploadUnknown else { throw error }
            return nil
        }
    }
}
