package import TransferCommon

/// What a store has recorded about the content of an object that it wrote, although it is not certain that the object
/// under the key is still that one.
package struct RecordedContent: Hashable, Sendable {
    package let evidence: ContentEvidence
    /// The part size on which the evidence depends; 0 if it depends on none.
    package let partBytes: UInt64

    package init(evidence: ContentEvidence, partBytes: UInt64) {
        self.evidence = evidence
        self.partBytes = partBytes
    }
}
