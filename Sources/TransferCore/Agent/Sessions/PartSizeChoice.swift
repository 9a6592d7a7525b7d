import TransferCommon
import WireProtocol

/// Chooses the part size of an upload.
struct PartSizeChoice {
    private static let streamPartBytesMax: UInt64 = 1 << 30

    /// The part size that the user has chosen, if any.
    let wish: UInt64?
    /// Bytes of the file; `nil` for a stream.
    let fileBytes: UInt64?

    /// The part size of the session that is about to be chosen; if `small`, as small as the gateway allows.
    func partBytes(by rule: PartRule, small: Bool) -> Result<UInt64, UploadFailure> {
        let partBytes: UInt64
        do {
            partBytes = try rule.partBytes(fileBytes: fileBytes, wish: wish)
        } catch {
            return .failure(error.failure)
        }
        guard fileBytes != nil || partBytes <= Self.streamPartBytesMax else {
            let message = "parts of a stream wait in memory: give a --part-size of at most 1GiB"
            return .failure(UploadFailure(.partSizeUnsupported, message))
        }
        guard small, let fileBytes, wish == nil else { return .success(partBytes) }
        return .success(min(partBytes, rule.smallestPartBytes(fileBytes: fileBytes)))
    }

    /// Whether another session of the file could have smaller parts. The part size of a session never changes. A part
    /// size that the user chose stays, and a stream cannot be read again.
    func couldBeSmaller(than plan: PartPlan, by rule: PartRule) -> Bool {
        guard wish == nil, let fileBytes else { return false }
        return rule.smallestPartBytes(fileBytes: fileBytes) < min(plan.partBytes, fileBytes)
    }
}
