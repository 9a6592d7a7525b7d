import NIOHTTP1

extension S3Request {
    /// The name of the call in S3's documentation, such as `UploadPart`. Logs and messages show it, so that an operator
    /// can look it up. If no row of the table matches the request, this is the HTTP method.
    var operation: String {
        let isBucket = key == nil
        let row = Self.operations.first { row in
            row.method == method && row.isBucket == isBucket
                && (row.parameter.isEmpty || query.contains { $0.name == row.parameter })
        }
        return row?.name ?? method.rawValue
    }

    /// The right in the policy of a bucket that a call needs; `nil` for other names than those of the table.
    static func right(of operation: String) -> String? {
        operations.first { $0.name == operation }.map { "s3:\($0.right)" }
    }

    private struct Call {
        let method: HTTPMethod
        let isBucket: Bool
        /// The parameter that distinguishes the call; empty if it has none.
        let parameter: String
        let name: String
        let right: String

        init(_ method: HTTPMethod, _ isBucket: Bool, _ parameter: String, _ name: String, _ right: String) {
            self.method = method
            self.isBucket = isBucket
            self.parameter = parameter
            self.name = name
            self.right = right
        }
    }

    /// The rows of one method stand in the order in which they are compared: first those with a parameter.
    private static let operations: [Call] = [
        Call(.HEAD, true, "", "HeadBucket", "ListBucket"),
        Call(.GET, true, "uploads", "ListMultipartUploads", "ListBucketMultipartUploads"),
        Call(.GET, true, "versions", "ListObjectVersions", "ListBucketVersions"),
        Call(.GET, true, "lifecycle", "GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
        Call(.GET, true, "", "ListObjectsV2", "ListBucket"),
        Call(.HEAD, false, "", "HeadObject", "GetObject"),
        Call(.GET, false, "uploadId", "ListParts", "ListMultipartUploadParts"),
        Call(.GET, false, "", "GetObject", "GetObject"),
        Call(.PUT, false, "uploadId", "UploadPart", "PutObject"),
        Call(.PUT, false, "", "PutObject", "PutObject"),
        Call(.POST, false, "uploads", "CreateMultipartUpload", "PutObject"),
        Call(.POST, false, "uploadId", "CompleteMultipartUpload", "PutObject"),
        Call(.DELETE, false, "uploadId", "AbortMultipartUpload", "AbortMultipartUpload"),
        Call(.DELETE, false, "", "DeleteObject", "DeleteObject"),
    ]
}
