/* SPDX-License-Identifier: MIT */
#include "cert_loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "handshake/doubts.h"
#include "log.h"
#include "secret_path.h"

/*
 * A file that was written less than so long before it was read may have been
 * written again since, at what a clock of such a grain calls the same time.
 */
#define GRAIN_NS 1000000000

static void warn_if_readable(const char *key)
{
	struct stat st;

	if (!stat(key, &st) && st.st_mode & S_IRWXO)
		log_warn("event=key_exposed file=\"%s\" error=\"everyone on "
			 "this machine can access the private key\" "
			 "remedy=\"chmod o= it\"", key);
}

static void log_staple(const struct config_cert *config, const char *error)
{
	log_error("event=staple_refused at=%s:%u:%u file=\"%s\" error=\"%s\"",
		  config->mark.file, config->mark.line, config->mark.column,
		  config->staple_file, error);
}

/* At most one byte more than a response may have, so that it shows. */
static ssize_t read_staple(const char *file, uint8_t *buf)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, OCSP_MAX_LEN + 1);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

/* Right once, and past now, as may happen to one that is in use. */
static bool is_past(enum ocsp_verdict verdict)
{
	return verdict == OCSP_EXPIRED || verdict == OCSP_TOO_OLD ||
	       verdict == OCSP_DELEGATE_EXPIRED;
}

/* So it is, too, to a machine that has not been told the time yet. */
static bool is_ahead(enum ocsp_verdict verdict)
{
	return verdict == OCSP_NOT_YET || verdict == OCSP_PRODUCED_LATER ||
	       verdict == OCSP_DELEGATE_NOT_YET;
}

/* As ocsp_check(), and one that will be right is, with a warning. */
static enum ocsp_verdict check_staple(const char *file,
				      struct ocsp_bytes response,
				      struct ocsp_bytes leaf,
				      struct ocsp_bytes issuer,
				      struct ocsp_times *times)
{
	const struct ocsp_limits *limits = &ocsp_default_limits;
	int64_t now = time(NULL), produced;
	enum ocsp_verdict verdict = ocsp_check(response, leaf, issuer, limits,
					       now, times);
	const char *reason = ocsp_reason(verdict);

	if (!is_ahead(verdict) || !ocsp_produced(response, &produced))
		return verdict;
	verdict = ocsp_check(response, leaf, issuer, limits, produced, times);
	if (verdict == OCSP_OK)
		log_warn("event=staple_not_yet file=\"%s\" error=\"%s: "
			 "certificates are sent without it until then, or "
			 "until the clock is right\"", file, reason);
	return verdict;
}

static bool load_staple(const struct config_cert *config, const char *chain,
			struct hs_cert *cert)
{
	static uint8_t der[OCSP_MAX_LEN + 1];
	const char *file = config->staple_file;
	ssize_t n = read_staple(file, der);
	struct ocsp_bytes response = { der, n > 0 ? (size_t)n : 0 };
	enum ocsp_verdict verdict;
	struct ocsp_bytes issuer;
	struct ocsp_times times;
	uint8_t *owned;
	int err;

	if (n < 0) {
		log_staple(config, strerror((int)-n));
		return false;
	}
	err = slots_issuer(config, cert, 0, &issuer, &owned);
	if (err == -ENOENT)
		log_error("event=staple_refused at=%s:%u:%u file=\"%s\" "
			  "error=\"the chain %s does not hold the issuer\" "
			  "remedy=\"name its file with issuer:\"",
			  config->mark.file, config->mark.line,
			  config->mark.column, file, chain);
	if (err)
		return false;
	verdict = check_staple(file, response, hs_cert_der(cert, 0), issuer,
			       &times);
	free(owned);
	if (is_past(verdict)) {
		log_warn("event=staple_expired file=\"%s\" error=\"%s: "
			 "certificates are sent without it\"", file,
			 ocsp_reason(verdict));
		return true;
	}
	if (verdict != OCSP_OK) {
		log_staple(config, ocsp_reason(verdict));
		return false;
	}
	if (!hs_cert_set_staple(cert, 0, response, &times))
		return true;
	log_staple(config, strerror(ENOMEM));
	return false;
}

static void log_doubt(void *arg, const char *sentence)
{
	const char *file = arg;

	log_warn("event=certificate_untimely file=\"%s\" error=\"%s\"", file,
		 sentence);
}

static void refuse(const struct config_mark *at, const char *key,
		   const char *error)
{
	log_error("event=certificate_refused at=%s:%u:%u error=\"%s%s\"",
		  at->file, at->line, at->column, key, error);
}

/* Are the files there that the entry names? Those beside a chain are looked for. */
static bool has_secrets(const struct config_cert *config)
{
	char error[512];

	if (config->key && secret_path_missing(config->key, error,
					       sizeof(error)))
		refuse(&config->mark, "key: ", error);
	else if (config->password_file &&
		 secret_path_missing(config->password_file, error,
				     sizeof(error)))
		refuse(&config->mark, "key_password_file: ", error);
	else
		return true;
	return false;
}

static struct hs_cert *read_cert(const struct config_cert *config,
				 const struct cert_file *file)
{
	const struct hs_cert_files files = {
		.chain = file->chain,
		.keys = (const char *const *)file->keys,
		.n_keys = file->n_keys,
		.password_file = config->password_file,
	};
	const struct hs_doubts doubts = { time(NULL), log_doubt, file->chain };
	char error[1024];
	struct hs_cert *cert;

	if (!has_secrets(config))
		return NULL;
	cert = hs_cert_read(&files, error, sizeof(error));
	if (!cert) {
		refuse(&config->mark, "", error);
		return NULL;
	}
	warn_if_readable(hs_cert_key_file(cert));
	hs_cert_doubts(cert, &doubts);
	return cert;
}

static struct hs_cert *load_cert(const struct config *config,
				 const struct cert_file *file)
{
	const struct config_cert *entry = &config->certs[file->entry];
	struct hs_cert *cert = read_cert(entry, file);

	if (!cert)
		return NULL;
	if (entry->staple == CONFIG_STAPLE_FILE &&
	    !load_staple(entry, file->chain, cert)) {
		hs_cert_free(cert);
		return NULL;
	}
	hs_cert_require_staple(cert, config->ocsp.missing_refuse &&
				     slots_must(entry, cert));
	return cert;
}

static struct file_id identify(const char *path)
{
	return path ? file_id_get(path) : (struct file_id){ 0 };
}

static void identify_all(const struct config_cert *config,
			 const struct cert_file *of, const struct hs_cert *cert,
			 struct file_id file[CERT_LOADED_FILES])
{
	file[0] = identify(of->chain);
	file[1] = identify(hs_cert_key_file(cert));
	file[2] = identify(config->password_file);
	file[3] = identify(config->staple_file);
	file[4] = identify(config->issuer);
}

/* Both in nanoseconds since the epoch. */
static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t changed_ns(const struct file_id *file)
{
	return file->ctime.tv_sec * INT64_C(1000000000) + file->ctime.tv_nsec;
}

struct cert_loaded *cert_loaded_new(const struct config *config,
				    const struct cert_file *file)
{
	const struct config_cert *of = &config->certs[file->entry];
	struct cert_loaded *loaded = calloc(1, sizeof(*loaded));
	int64_t begun = clock_ns();
	size_t i;

	if (!loaded) {
		log_error("event=start_failed error=\"out of memory\"");
		return NULL;
	}
	loaded->refs = 1;
	loaded->cert = load_cert(config, file);
	if (!loaded->cert || slots_find(config, file, loaded->cert,
				       &loaded->slots)) {
		cert_loaded_free(loaded);
		return NULL;
	}
	identify_all(of, file, loaded->cert, loaded->file);
	loaded->settled = true;
	for (i = 0; i < CERT_LOADED_FILES; i++)
		if (changed_ns(&loaded->file[i]) > begun - GRAIN_NS)
			loaded->settled = false;
	return loaded;
}

/* A key that comes to be before it would be read. */
static bool is_first_key(const struct cert_file *of, const char *key)
{
	size_t i;

	for (i = 0; i < of->n_keys && strcmp(of->keys[i], key); i++)
		if (strcmp(of->keys[i], of->chain) &&
		    !access(of->keys[i], F_OK))
			return false;
	return true;
}

bool cert_loaded_holds(const struct cert_loaded *loaded,
		       const struct config *config,
		       const struct cert_file *file)
{
	struct file_id now[CERT_LOADED_FILES];
	size_t i;

	if (!loaded->settled ||
	    !is_first_key(file, hs_cert_key_file(loaded->cert)))
		return false;
	identify_all(&config->certs[file->entry], file, loaded->cert, now);
	for (i = 0; i < CERT_LOADED_FILES; i++)
		if (!file_id_same(&now[i], &loaded->file[i]))
			return false;
	return true;
}

struct cert_loaded *cert_loaded_get(struct cert_loaded *loaded)
{
	loaded->refs++;
	return loaded;
}

void cert_loaded_free(struct cert_loaded *loaded)
{
	if (!loaded || --loaded->refs)
		return;
	slots_free(&loaded->slots);
	hs_cert_free(loaded->cert);
	free(loaded);
}
