package import TransferCommon

/// What the requests of a probe have shown. It makes the store's properties of them, a reason not to use the store, or
/// warnings. It sends nothing itself.
///
/// | step                                 | if the store refuses it                                   |
/// |--------------------------------------|-----------------------------------------------------------|
/// | begin an upload                      | the next form of the digest is tried, then no start       |
/// | upload a part                        | the next form of the digest is tried, then no start       |
/// | upload a part with the highest number| a lower number is tried, with a warning; then no start    |
/// | list the parts                       | no start                                                  |
/// | abort the upload                     | no start                                                  |
/// | list the gateway's own objects       | no start                                                  |
/// | put an object                        | the next form of the digest is tried, then no start       |
/// | look an object up                    | no start                                                  |
/// | look a missing object up             | 403 means that there is no object, with a warning         |
/// | list unfinished uploads              | a warning                                                 |
/// | delete an object                     | a warning                                                 |
/// | list and delete its versions         | a warning if the bucket keeps versions                    |
package struct ProbeFindings {
    /// A request of the probe, by the name of S3's call and by the right that it needs.
    package enum Step: String {
        case createUpload = "CreateMultipartUpload"
        case uploadPart = "UploadPart"
        case listParts = "ListParts"
        case abortUpload = "AbortMultipartUpload"
        case listObjects = "ListObjectsV2"
        case putObject = "PutObject"
        case headObject = "HeadObject"
        case listUploads = "ListMultipartUploads"
        case deleteObject = "DeleteObject"
        case deleteVersions = "ListObjectVersions or DeleteObject of a version"

        /// The right in the policy of a bucket.
        package var right: String {
            switch self {
            case .createUpload, .uploadPart, .putObject: "s3:PutObject"
            case .listParts: "s3:ListMultipartUploadParts"
            case .abortUpload: "s3:AbortMultipartUpload"
            case .listObjects: "s3:ListBucket"
            case .headObject: "s3:GetObject"
            case .listUploads: "s3:ListBucketMultipartUploads"
            case .deleteObject: "s3:DeleteObject"
            case .deleteVersions: "s3:ListBucketVersions and s3:DeleteObjectVersion"
            }
        }
    }

    /// The rule by which the bucket removes unfinished uploads.
    package enum UploadRule: Equatable {
        /// The store did not say.
        case unknown
        case none
        /// The bucket removes an upload this number of days after its beginning.
        case days(Int)
    }

    /// The properties of the table, with the observed ones.
    package var provider: S3Provider
    /// The steps that the store has refused.
    package var refused: [Step: StoreError] = [:]
    /// The highest part number of the table, if the store has refused it.
    package var refusedPartNumber: UInt32?
    /// Whether the bucket gives each object a version id.
    package var keepsVersions = false
    package var uploadRule = UploadRule.unknown

    package init(table: S3Provider) {
        provider = table
    }

    /// Without these steps no upload could be completed, resumed or aborted, so the gateway must not begin one.
    private static let needed: [Step] = [
        .createUpload, .uploadPart, .listParts, .abortUpload, .listObjects, .putObject, .headObject,
    ]

    /// The reason why the store must not be used; `nil` if no needed step was refused so far.
    package var objection: StoreError? {
        guard let step = Self.needed.first(where: { refused[$0] != nil }), let error = refused[step] else { return nil }
        let sentence =
            error.reason == .denied
            ? "The store refuses \(step.rawValue): the gateway needs the right \(step.right)."
            : "The store cannot be used, because it refuses \(step.rawValue): \(error.sentence)"
        return StoreError(error.reason, sentence, cause: error.cause)
    }

    /// What the operator should know of a store that can be used.
    package var warnings: [String] {
        var sentences: [String] = []
        if let refusedPartNumber {
            sentences.append(
                "The store refuses a part with the number \(refusedPartNumber). The gateway uses at most "
                    + "\(provider.partsMax) parts.")
        }
        if provider.hidesAbsentKeys {
            sentences.append(
                "The store answers 403 for a key without an object, because the gateway may not list the whole bucket "
                    + "(\(Step.listObjects.right)). The gateway takes this answer for a missing object.")
        }
        if refused[.listUploads] != nil {
            sentences.append(
                "The gateway may not list unfinished uploads (\(Step.listUploads.right)). Only a rule of the bucket "
                    + "removes an upload whose gateway ended at its very beginning.")
        }
        if refused[.deleteObject] != nil {
            sentences.append(
                "The gateway may not delete its own objects (\(Step.deleteObject.right) below .sluice/). Records of "
                    + "finished sessions stay as empty objects.")
        } else if keepsVersions, !provider.deletesVersions {
            sentences.append(
                "The bucket keeps versions, and the gateway cannot delete those of its own objects "
                    + "(\(Step.deleteVersions.right) below .sluice/). A rule of the bucket should remove them.")
        }
        return sentences + uploadRuleWarnings
    }

    private var uploadRuleWarnings: [String] {
        switch uploadRule {
        case .unknown: []
        case .none where provider.uploadExpiry != nil: []
        case .none:
            [
                "No rule of the bucket removes unfinished uploads (AbortIncompleteMultipartUpload). Uploads whose "
                    + "gateway never returns then cost storage forever."
            ]
        case .days(let days) where days < Self.expiryDays:
            [
                "A rule of the bucket removes unfinished uploads after \(days) days. An agent that is away for longer "
                    + "begins its upload anew."
            ]
        case .days: []
        }
    }

    /// The time, in days, after which gateways by default remove an unfinished upload.
    static let expiryDays = 7
}
