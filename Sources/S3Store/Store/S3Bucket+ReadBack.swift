import Cryptography
import Logging
import NIOCore
import NIOHTTP1
import ObjectStore
import TransferCommon
import WireProtocol

// An ETag that differs from the MD5 of the sent bytes has two possible causes. The store received other bytes, or it
// encrypts with a managed key and its ETags are no MD5s. A proxy may have removed the header that shows the encryption.
// So only the bytes themselves decide, and the client deletes nothing on a guess.

extension S3Bucket {
    private enum Finding {
        /// The object is the written one and has the sent bytes.
        case whole
        /// The object is the written one and has other bytes.
        case damaged
        /// The object cannot be read, or is not the written one any more.
        case unknown
    }

    static var otherBytes: StoreError {
        StoreError(.digestMismatch, "The store received other bytes than the gateway sent.")
    }

    /// Reads back an object whose ETag is not the MD5 of the sent bytes. If it has other bytes, deletes it, provided
    /// that the request can name exactly this object. Otherwise the object stays, with a wrong digest in its metadata,
    /// until the agent uploads the file again.
    ///
    /// - Parameter key: the whole key in the bucket.
    /// - Throws: `.digestMismatch` unless the object has the sent bytes.
    func examine(_ written: StoredObject, at key: String, digest: SHA256Digest) async throws(StoreError) {
        switch await readBack(written, at: key, digest: digest) {
        case .whole:
            logger.warning(
                "The ETag of an object is not the MD5 of its bytes; the object was read back, and its bytes are right")
            return
        case .damaged:
            await removeDamaged(written, at: key)
        case .unknown:
            logger.error(
                "The store may have received other bytes than the gateway sent, and the object could not be read back")
        }
        throw Self.otherBytes
    }

    private func readBack(_ written: StoredObject, at key: String, digest: SHA256Digest) async -> Finding {
        do throws(StoreError) {
            guard let reader = try await read(at: key, version: written.version),
                reader.summary.etag == written.etag
            else { return .unknown }
            return try await Self.digest(of: reader.bytes) == digest ? .whole : .damaged
        } catch {
            return .unknown
        }
    }

    private static func digest(
        of bytes: some AsyncSequence<ByteBuffer, StoreError>
    ) async throws(StoreError) -> SHA256Digest {
        do {
            var hasher = try SHA256Hasher()
            for try await buffer in bytes { hasher.update(buffer) }
            return try hasher.finalize()
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError.cryptographyFailed(error)
        }
    }

    /// Deletes the written object by its version id, or by its ETag if this store checks `If-Match` of a deletion. If
    /// neither is possible, leaves the object: a plain deletion could remove an object that another program has written
    /// meanwhile.
    private func removeDamaged(_ written: StoredObject, at key: String) async {
        var request = S3Request(.DELETE, key: key)
        if !written.version.isEmpty {
            request.query = [("versionId", written.version)]
        } else if !written.etag.isEmpty, provider.checksDeleteCondition {
            request.headers = [("if-match", written.etag)]
        } else {
            logger.error(
                "The store received other bytes than the gateway sent, and the object stays")
            return
        }
        do {
            _ = try await client.send(request)
        } catch {
            logger.error(
                "The store received other bytes than the gateway sent, and the object could not be removed",
                metadata: ["store.error": "\(error.shortDescription)"])
        }
    }
}
