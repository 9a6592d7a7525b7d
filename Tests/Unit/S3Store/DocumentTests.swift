import ObjectStore
import S3Store
import Testing

@Suite struct DocumentTests {
    @Test func layoutOfTheDocumentIsIgnored() {
        let document =
            "  <?xml version=\"1.0\"?>\n<Error>\n  <Code>\n  NoSuchUpload </Code>\n  <Other><A/>\n</Other>\n</Error>\n"
        #expect(S3Documents.Failure(reading: Array(document.utf8))?.code == "NoSuchUpload")
    }

    /// Services other than S3 put the error into another element.
    @Test func errorInsideAnErrorResponseIsRead() {
        let document = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        #expect(S3Documents.Failure(reading: Array(document.utf8))?.code == "AccessDenied")
    }

    /// Stores disagree about the names of root elements. rclone answers CreateMultipartUpload with the name of the
    /// request, moto answers ListParts with `ListPartsResponse`.
    @Test(arguments: ["InitiateMultipartUploadResult", "InitiateMultipartUpload", "x:Created"])
    func anyRootIsAccepted(root: String) {
        let document = "<\(root)>\n<UploadId>\n u1\n</UploadId></\(root)>"
        #expect(S3Documents.Created(reading: Array(document.utf8)) != nil)
        let parts = "<\(root)><UploadId>u</UploadId></\(root)>"
        #expect(S3Documents.Parts(reading: Array(parts.utf8)) != nil)
    }

    @Test func errorIsNoAnswerOfAnotherKind() {
        let fields = "<UploadId>u</UploadId><ETag>e</ETag><IsTruncated>false</IsTruncated><Contents/><Upload/>"
        let bytes = Array("<Error>\(fields)</Error>".utf8)
        #expect(S3Documents.Created(reading: bytes) == nil)
        #expect(S3Documents.Completed(reading: bytes) == nil)
        #expect(S3Documents.Parts(reading: bytes) == nil)
        #expect(S3Documents.Uploads(reading: bytes) == nil)
        #expect(S3Documents.Objects(reading: bytes) == nil)
        #expect(S3Documents.Versions(reading: bytes) == nil)
        #expect(S3Documents.Lifecycle(reading: bytes) == nil)
    }

    /// A proxy may answer with a page of its own and status 200. Read as an empty list of parts, the page would make
    /// the agent send all parts again.
    @Test func pageOfAProxyIsNoList() {
        let bytes = Array("<html><body><p>Please log in.</p></body></html>".utf8)
        #expect(S3Documents.Created(reading: bytes) == nil)
        #expect(S3Documents.Completed(reading: bytes) == nil)
        #expect(S3Documents.Parts(reading: bytes) == nil)
        #expect(S3Documents.Uploads(reading: bytes) == nil)
        #expect(S3Documents.Objects(reading: bytes) == nil)
        #expect(S3Documents.Versions(reading: bytes) == nil)
        #expect(S3Documents.Lifecycle(reading: bytes) == nil)
    }

    /// A store may ignore that the gateway asks for versions or rules, and list objects instead. Read as an empty list
    /// of versions, this answer would make the gateway believe that it has deleted every version.
    @Test func listOfObjectsIsNoListOfVersions() {
        let fields = "<IsTruncated>false</IsTruncated><MaxKeys>1000</MaxKeys><Contents><Key>k</Key></Contents>"
        let bytes = Array("<ListBucketResult>\(fields)</ListBucketResult>".utf8)
        #expect(S3Documents.Versions(reading: bytes) == nil)
        #expect(S3Documents.Lifecycle(reading: bytes) == nil)
        #expect(S3Documents.Versions(reading: Array("<ListVersionsResult/>".utf8)) != nil)
        #expect(S3Documents.Lifecycle(reading: Array("<LifecycleConfiguration/>".utf8)) != nil)
    }
}
