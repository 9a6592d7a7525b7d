import COpenSSL
package import Foundation
package import TransferCommon

/// SHA-256 of a whole file, read piece by piece.
///
/// It calls the library directly and not through the code that is being tested, so that a mistake there cannot agree
/// with itself here.
package func fileDigest(_ url: URL) throws -> SHA256Digest {
    let file = try FileHandle(forReadingFrom: url)
    defer {
        // Only read from; closing it cannot lose anything.
        try? file.close()
    }
    guard let context = EVP_MD_CTX_new() else { throw DigestFailure() }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw DigestFailure() }
    while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
        let updated = piece.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        guard updated == 1 else { throw DigestFailure() }
    }
    var bytes = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
    guard EVP_DigestFinal_ex(context, &bytes, nil) == 1, let digest = SHA256Digest(bytes: bytes) else {
        throw DigestFailure()
    }
    return digest
}

private struct DigestFailure: Error {}
