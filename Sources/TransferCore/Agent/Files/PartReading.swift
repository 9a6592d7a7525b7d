package import TransferCommon

/// The result of reading a part.
package enum PartReading: Hashable, Sendable {
    /// - stamp: the file's stamp right after the last byte was read.
    case read(digest: SHA256Digest, md5: MD5Digest?, stamp: FileStamp)
    /// - bytes: the number of bytes read; fewer than requested only if the stream ends.
    /// - isLast: whether the stream has ended.
    case readOfStream(digest: SHA256Digest, md5: MD5Digest?, bytes: UInt64, isLast: Bool)
    /// The file ends before the part does.
    case truncated
    case failed(UploadFailure)
}

/// The result of reading a whole file for comparison.
package enum EvidenceReading: Hashable, Sendable {
    case computed(ContentEvidence, stamp: FileStamp)
    case failed(UploadFailure)
}
