package import NIOCore
package import TransferCommon

/// An open object with its summary and its bytes. If the key gets another object meanwhile, summary and bytes are still
/// those of the opened object.
package struct ObjectReader: Sendable {
    /// The type of `bytes`: a sequence that ends after exactly `summary.size` bytes, or throws.
    package typealias Bytes = any AsyncSequence<ByteBuffer, StoreError> & Sendable

    /// The summary of the object that has these bytes.
    package let summary: ObjectSummary
    /// The object's bytes, in buffers of the store's choice.
    package let bytes: Bytes

    package init(summary: ObjectSummary, bytes: Bytes) {
        self.summary = summary
        self.bytes = bytes
    }
}
