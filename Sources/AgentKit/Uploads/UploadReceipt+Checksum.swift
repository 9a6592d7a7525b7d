import Foundation
import TransferCommon
import TransferCore
import WireProtocol

extension UploadReceipt {
    /// The object's SHA-256 as S3 writes it (`x-amz-checksum-sha256`): of one part, that of its bytes in base64; of
    /// several, that of the parts' joined digests, a hyphen, and their number. A store that keeps SHA-256 tells the
    /// same. `nil` where other evidence proved the object.
    package var checksumSHA256: String? {
        if case .wholeDigest(let digest) = evidence { return Data(digest.bytes).base64EncodedString() }
        guard let root, let partCount = PartPlan(fileBytes: size, partBytes: partBytes)?.partCount, partCount > 1
        else { return nil }
        return Data(root.bytes).base64EncodedString() + "-\(partCount)"
    }
}
