import TransferCommon
package import WireProtocol

// What the upload knows of the object under its key.

extension UploadSession {
    /// The comparison with the object; `nil` if size, writer or policy rules out a match, or if it has no evidence.
    package func comparison(with exists: SessionExists) -> ObjectComparison? {
        guard let fileBytes else { return nil }
        let file = ObjectComparison.File(
            bytes: fileBytes, inode: stamp?.inode, policy: policy, proof: request.proof, earlierSession: earlier)
        return ObjectComparison(of: file, with: exists)
    }

    /// Whether the session of this upload, or its session of an earlier run, wrote the object.
    func wrote(_ exists: SessionExists) -> Bool {
        guard let writer = exists.session else { return false }
        return writer == id || writer == earlier?.session
    }

    /// Whether the stamp of the file that was read differs from the stamps of all later versions. False if an earlier
    /// run read parts of the file, because that run may have read them too soon after a change.
    var stampCounts: Bool { request.stampCounts && request.saved == nil && stamp == request.stamp }
}
