/// What a gateway records in the store about an unfinished multipart session, so that every gateway of the site can
/// resume or remove the session.
///
/// A gateway writes the record before it creates the upload, adds the upload id afterwards, and removes the record when
/// the session has ended. So every upload of Sluice has a record from its first moment on, and the cleaner can rely on
/// the records.
package struct SessionRecord: Hashable, Sendable {
    /// Name of the device that uploads the file.
    package var device: String
    package var session: SessionID
    /// The terms of the session. Their key is the whole key, prefix included.
    package var terms: SessionTerms
    /// The upload id; `nil` until the gateway has created the upload and added its id to the record.
    package var upload: String?

    package init(device: String, session: SessionID, terms: SessionTerms, upload: String?) {
        self.device = device
        self.session = session
        self.terms = terms
        self.upload = upload
    }

    package var key: String { terms.key }

    /// The metadata of the session's object.
    package var objectMetadata: ObjectMetadata {
        ObjectMetadata(
            session: session, partBytes: terms.partBytes, modification: terms.modification,
            userMetadata: terms.metadata)
    }
}
