package import TransferCommon

/// What the requests of a probe have shown. Derives from it the properties of the store, a reason not to use the store,
/// or warnings. Sends nothing itself.
///
/// The probe repeats a step that fails for a temporary reason. If a needed step still gets no answer, the gateway does
/// not start.
///
/// | step                                 | if the store refuses it                     | if it does not answer       |
/// |--------------------------------------|---------------------------------------------|-----------------------------|
/// | begin an upload                      | the next form of the digest, then no start  | no start                    |
/// | upload a part                        | the next form of the digest, then no start  | no start                    |
/// | upload a part with the highest number| a lower number with a warning, then no start| no start                    |
/// | list the parts                       | no start                                    | no start                    |
/// | abort the upload                     | no start                                    | no start                    |
/// | list the gateway's own objects       | no start                                    | no start                    |
/// | put an object                        | the next form of the digest, then no start  | no start                    |
/// | look an object up                    | no start                                    | no start                    |
/// | look a missing object up             | 403 means no object, with a warning         | no start                    |
/// | list unfinished uploads              | a warning                                   | a warning                   |
/// | upload a part with a wrong digest    | the store checks digests                    | a warning: it checks none   |
/// | write under a condition              | the store checks or refuses conditions      | a warning: none is sent     |
/// | delete under a condition             | the store checks the condition              | a warning: it checks none   |
/// | delete an object                     | a warning                                   | a warning                   |
/// | list and delete its versions         | a warning if the bucket keeps versions      | a warning                   |
package struct ProbeFindings {
    /// A kind of request that the probe sends. The raw value begins with the name of S3's call.
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
        case wrongDigest = "UploadPart with a wrong digest"
        case completeCondition = "CompleteMultipartUpload with a condition"
        case putCondition = "PutObject with a condition"
        case deleteCondition = "DeleteObject with a condition"

        /// The permission that this step needs, as a bucket policy names it.
        package var right: String {
            switch self {
            case .deleteVersions: return "s3:ListBucketVersions and s3:DeleteObjectVersion"
            default:
                // The name of a step begins with the name of its call.
                let call = rawValue.prefix { $0 != " " }
                return S3Request.right(of: String(call)) ?? "s3:*"
            }
        }
    }

    /// The rule by which the bucket removes unfinished uploads.
    package enum UploadRule: Equatable {
        /// The store did not say whether the bucket has such a rule.
        case unknown
        case none
        /// The bucket removes an upload this number of days after its beginning.
        case days(Int)
    }

    /// The store's properties: those of the table of providers, each replaced by the observed one if the probe has
    /// observed it.
    package var provider: S3Provider
    /// The steps that the store has refused.
    package var refused: [Step: StoreError] = [:]
    /// The steps that the store has not answered, although they were repeated. No upload needs their answers.
    package var unanswered: [Step: StoreError] = [:]
    /// The highest part number that the provider is known to accept, if this store has refused it; otherwise `nil`.
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

    /// Notes the failure of a step that no upload needs.
    mutating func note(_ error: StoreError, of step: Step) {
        // `.damaged` means that the store answered something else than it was asked. So the store does not know this
        // call.
        if error.isRefusal || error.reason == .damaged { refused[step] = error } else { unanswered[step] = error }
    }

    /// The reason why the store must not be used; `nil` if the store has refused no needed step so far.
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
        } else if keepsVersions, !provider.deletesVersions, unanswered[.deleteVersions] == nil {
            sentences.append(
                "The bucket keeps versions, and the gateway cannot delete those of its own objects "
                    + "(\(Step.deleteVersions.right) below .sluice/). A rule of the bucket should remove them.")
        }
        return sentences + unansweredWarnings + uploadRuleWarnings
    }

    private var unansweredWarnings: [String] {
        unanswered.sorted { $0.key.rawValue < $1.key.rawValue }.map { step, error in
            "The store did not answer \(step.rawValue) (\(error.detail ?? error.shortDescription)). "
                + "\(Self.consequence(of: step)) The next start tries again."
        }
    }

    private static func consequence(of step: Step) -> String {
        switch step {
        case .listUploads: "An upload whose gateway ended at its very beginning may stay until a rule removes it."
        case .wrongDigest: "The gateway checks all bytes itself."
        case .completeCondition, .putCondition:
            "The gateway sends no condition, and looks at the key right before the end of each such request."
        case .deleteCondition: "A damaged object stays if only its ETag could name it."
        case .deleteObject: "Objects of the probe stay until the gateway next removes unfinished uploads."
        case .deleteVersions: "Old versions of the gateway's own objects stay until a rule of the bucket removes them."
        case .createUpload, .uploadPart, .listParts, .abortUpload, .listObjects, .putObject, .headObject:
            "Uploads need it."
        }
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
