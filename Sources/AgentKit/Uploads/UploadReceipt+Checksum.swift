import Foundation
import TransferCommon
import TransferCore
import WireProtocol

extension UploadReceipt {
    /// The object's SHA-256 in the format of S3's `x-amz-checksum-sha256`. For one part: the digest of the bytes in
    /// base64. For several parts: the digest of the joined part digests in base64, a hyphen, and the number of parts. A
    /// store that keeps SHA-256 checksums reports the same value for the object. `nil` if other evidence proved the
    /// object.
    package var checksumSHA256: String? {
        if case .wholeDigest(let digest) = evidence { return Data(digest.bytes).base64EncodedString() }
        guard let root, let partCount = PartPlan(fileBytes: size, partBytes: partBytes)?.partCount, partCount > 1
        else { return nil }
        return Data(root.bytes).base64EncodedString() + "-\(partCount)"
    }
}
