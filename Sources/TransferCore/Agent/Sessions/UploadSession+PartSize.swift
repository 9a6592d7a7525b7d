import TransferCommon
import WireProtocol

// The size of the parts of an upload.

extension UploadSession {
    private static let streamPartBytesMax: UInt64 = 1 << 30

    /// The part size of the session that is about to be chosen.
    ///
    /// - Parameter small: whether the parts should be as small as the gateway allows.
    func partBytes(by rule: PartRule, small: Bool) -> Result<UInt64, UploadFailure> {
        let known = request.isStream ? nil : stamp?.size
        let partBytes: UInt64
        do {
            partBytes = try rule.partBytes(fileBytes: known, wish: request.partBytesWish)
        } catch {
            return .failure(error.failure)
        }
        guard !request.isStream || partBytes <= Self.streamPartBytesMax else {
            let message = "parts of a stream wait in memory: give a --part-size of at most 1GiB"
            return .failure(UploadFailure(.partSizeUnsupported, message))
        }
        guard small, let known, request.partBytesWish == nil else { return .success(partBytes) }
        return .success(min(partBytes, rule.smallestPartBytes(fileBytes: known)))
    }

    /// Whether another session of the file could have smaller parts. The part size of a session never changes. A part
    /// size that the user chose stays, and a stream cannot be read again.
    func couldHaveSmallerParts(by rule: PartRule) -> Bool {
        guard !request.isStream, request.partBytesWish == nil, let plan, let fileBytes else { return false }
        // The file may be stored under the key already. With this policy a new session would take that object for
        // another writer's.
        if isOnePart, mayStillAppear, policy == .fail { return false }
        return rule.smallestPartBytes(fileBytes: fileBytes) < min(plan.partBytes, fileBytes)
    }
}
