import WireProtocol

// The answers to questions about versions and rules of a bucket.

extension S3Documents {
    /// The answer to ListObjectVersions. Some stores ignore the parameter of this call and list objects instead. For
    /// such an answer `init` returns `nil`.
    package struct Versions: S3Document {
        struct Version: Equatable {
            let key: String
            let id: String
        }

        /// The versions and delete markers whose keys can be read.
        let versions: [Version]

        package init?(_ root: XMLElement) {
            guard root.isAnswer("ListVersionsResult", with: ["Version", "DeleteMarker", "IsTruncated", "MaxKeys"]),
                root.child("Contents") == nil, root.name != "ListBucketResult"
            else { return nil }
            versions = root.children.filter { ["Version", "DeleteMarker"].contains($0.name) }.compactMap { entry in
                guard let key = root.key(of: "Key", in: entry), let id = entry.value(of: "VersionId"), !id.isEmpty
                else { return nil }
                return Version(key: key, id: id)
            }
        }
    }

    /// The answer to GetBucketLifecycleConfiguration. Some stores ignore the parameter of this call and list objects
    /// instead. For such an answer `init` returns `nil`.
    package struct Lifecycle: S3Document {
        /// A rule that aborts unfinished uploads.
        struct AbortRule: Equatable {
            /// The rule applies to keys that begin with this text.
            let prefix: String
            let days: Int
        }

        let abortRules: [AbortRule]

        package init?(_ root: XMLElement) {
            guard root.isAnswer("LifecycleConfiguration", with: ["Rule"]) else { return nil }
            abortRules = root.children.filter { $0.name == "Rule" && $0.value(of: "Status") == "Enabled" }
                .compactMap { rule in
                    guard let days = rule.child("AbortIncompleteMultipartUpload")?.value(of: "DaysAfterInitiation"),
                        let count = Int(days), count > 0
                    else { return nil }
                    let filter = rule.child("Filter")
                    let prefix =
                        rule.text(of: "Prefix") ?? filter?.text(of: "Prefix")
                        ?? filter?.child("And")?.text(of: "Prefix")
                    return AbortRule(prefix: prefix ?? "", days: count)
                }
        }
    }
}
