import NIOHTTP1

extension S3Request {
    /// The name of the call in S3's documentation, such as `UploadPart`. Logs and messages show it, so that an operator
    /// can look it up. For a request that no row of the table fits, it is the HTTP method.
    var operation: String {
        let isBucket = key == nil
        let row = Self.operations.first { row in
            row.method == method && row.isBucket == isBucket
                && (row.parameter.isEmpty || query.contains { $0.name == row.parameter })
        }
        return row?.name ?? method.rawValue
    }

    /// The rows of one method stand in the order in which they are compared: first those with a parameter.
    private static let operations: [(method: HTTPMethod, isBucket: Bool, parameter: String, name: String)] = [
        (.HEAD, true, "", "HeadBucket"),
        (.GET, true, "uploads", "ListMultipartUploads"),
        (.GET, true, "versions", "ListObjectVersions"),
        (.GET, true, "lifecycle", "GetBucketLifecycleConfiguration"),
        (.GET, true, "", "ListObjectsV2"),
        (.HEAD, false, "", "HeadObject"),
        (.GET, false, "uploadId", "ListParts"),
        (.GET, false, "", "GetObject"),
        (.PUT, false, "uploadId", "UploadPart"),
        (.PUT, false, "", "PutObject"),
        (.POST, false, "uploads", "CreateMultipartUpload"),
        (.POST, false, "uploadId", "CompleteMultipartUpload"),
        (.DELETE, false, "uploadId", "AbortMultipartUpload"),
        (.DELETE, false, "", "DeleteObject"),
    ]
}
