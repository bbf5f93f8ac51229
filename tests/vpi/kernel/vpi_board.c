// SPDX-License-Identifier: GPL-2.0
/*
 * The board of a virtual Raspberry Pi: I2C bus 1 with INA219 chips, and a gpiochip of 58 lines.
 *
 * Both are the kernel's own devices for whoever uses them (/dev/i2c-1, /dev/gpiochip0). The other
 * side, the electrical world, is root's, in /sys/kernel/debug/vpi:
 *
 *   meter-40 .. meter-4f  read: everything of a chip. Write words, applied at once:
 *       present=0|1       off the bus (NACK) and without power, or back with its reset values
 *       reset=1           a brown-out: back to the power-on registers, nobody is told
 *       bus_mv=MV         at the load's side
 *       shunt_uv=UV       across the shunt, whatever the lines do
 *       high17=UV         and so much more while line 17 is high; low17=UV: while it is low
 *       fault=ERRNO       fail transfers: 5, 110, 121 ...; 0 ends it. garble=MASK: flip bits read
 *       count=N           of that, so many messages (default -1: for good)
 *       delay_us=US       every message takes so long, a stretched clock or a hung bus
 *   lines   read: "LINE in|out LEVEL PULL free|claimed"; write "LINE up|down|none": a resistor outside
 *   edges   read: "NS TSC LINE in|out LEVEL" for every change of level or direction since the last
 *           write to it (or load), and last "lost N". NS is CLOCK_MONOTONIC; the time stamp counter
 *           is the host's own, so edges of several guests have one order
 *   strict  N (as Raspberry Pi OS by default): a freed output keeps its level; Y
 *           (dtparam=strict_gpiod): it becomes an input, at its pull
 *
 * The INA219 after TI's SBOS448G: conversions take their time (8.6.2.1, table 5) and are seen when
 * they end; CNVR is set then, and cleared by reading Power or writing the configuration. Noise and
 * the ADC's coarse steps are not modelled.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/gpio/driver.h>
#include <linux/i2c.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define LINES 58
#define CHIPS 16
#define FIRST 0x40
#define EDGES 16384
#define NACK (-EREMOTEIO) /* as i2c-bcm2835 has it */

enum { CONFIGURATION, SHUNT, BUS, POWER, CURRENT, CALIBRATION };
#define RESET_WORD 0x399f

struct meter {
	bool present, triggered, ready;
	u8 pointer;
	u16 config, calibration;
	s16 shunt;
	u16 bus;
	u64 began; /* the running conversion; 0: none runs */
	int bus_mv, shunt_uv, high_uv[LINES], low_uv[LINES];
	int fault, garble, count, delay_us;
	unsigned long messages;
};

enum pull { PULL_NONE, PULL_UP, PULL_DOWN };

struct line {
	bool out, driven, claimed;
	enum pull inside, outside; /* the Pi's own, and a resistor's, which is stronger */
};

struct edge {
	u64 ns, tsc;
	u8 line;
	bool out, level;
};

static struct meter meters[CHIPS];
static struct line lines[LINES];
static struct edge edges[EDGES];
static unsigned int edge_count;
static bool strict;
static DEFINE_SPINLOCK(world);
static struct dentry *folder;

static char *chips = "0x40";
module_param(chips, charp, 0444);
MODULE_PARM_DESC(chips, "addresses of the INA219s that are present, with commas");

static int raised[LINES];
static unsigned int raised_count;
module_param_array(raised, int, &raised_count, 0444);
MODULE_PARM_DESC(raised, "lines that a resistor outside of the Pi pulls up, from power-on");

/* --- lines ------------------------------------------------------------------------------------ */

static enum pull pull_of(const struct line *l)
{
	return l->outside ? l->outside : l->inside;
}

static bool level_of(const struct line *l)
{
	return l->out ? l->driven : pull_of(l) == PULL_UP; /* one that floats reads low */
}

/* --- INA219 ----------------------------------------------------------------------------------- */

static u64 adc_ns(unsigned int code)
{
	static const unsigned int us[] = { 84, 148, 276, 532 };

	return 1000ull * (code & 8 ? 532 << (code & 7) : us[code & 3]);
}

static u64 cycle_ns(const struct meter *m)
{
	u64 ns = 0;

	if (m->config & 1)
		ns += adc_ns(m->config >> 3 & 15);
	if (m->config & 2)
		ns += adc_ns(m->config >> 7 & 15);
	return ns;
}

/* What the chip measures at this moment. */
static void latch(struct meter *m)
{
	int i, uv = m->shunt_uv, limit = 4000 << (m->config >> 11 & 3);

	for (i = 0; i < LINES; i++)
		uv += level_of(&lines[i]) ? m->high_uv[i] : m->low_uv[i];
	if (m->config & 1)
		m->shunt = clamp(uv / 10, -limit, limit);
	if (m->config & 2)
		m->bus = clamp(m->bus_mv / 4, 0, m->config & 0x2000 ? 8000 : 4000);
	m->ready = true;
}

/* Finish the conversions that have ended by now; before anything changes what they see. */
static void settle(struct meter *m, u64 now)
{
	u64 cycle = cycle_ns(m), ended;

	if (!m->began || !cycle || now - m->began < cycle)
		return;
	ended = div64_u64(now - m->began, cycle);
	latch(m);
	m->began = m->triggered ? 0 : m->began + ended * cycle;
}

static void settle_all(u64 now)
{
	int i;

	for (i = 0; i < CHIPS; i++)
		settle(&meters[i], now);
}

static void configure(struct meter *m, u16 word, u64 now)
{
	m->config = word;
	m->ready = false;
	m->triggered = !(word & 4);
	m->began = word & 3 ? now : 0;
}

static void reset(struct meter *m, u64 now)
{
	m->calibration = m->shunt = m->bus = m->pointer = 0;
	configure(m, RESET_WORD, now);
}

static u16 peek(const struct meter *m, u8 which)
{
	long amps = (long)m->shunt * m->calibration / 4096;
	long watts = abs(amps) * m->bus / 5000;
	bool overflow = amps != (s16)amps || watts > 0xffff;

	switch (which) {
	case CONFIGURATION:
		return m->config;
	case SHUNT:
		return m->shunt;
	case BUS:
		return m->bus << 3 | m->ready << 1 | overflow;
	case POWER:
		return watts;
	case CURRENT:
		return amps;
	case CALIBRATION:
		return m->calibration;
	}
	return 0xffff;
}

static void poke(struct meter *m, u8 which, u16 word, u64 now)
{
	if (which == CONFIGURATION && word & 0x8000)
		reset(m, now);
	else if (which == CONFIGURATION)
		configure(m, word, now);
	else if (which == CALIBRATION)
		m->calibration = word & 0xfffe;
}

static void answer(struct meter *m, struct i2c_msg *msg, u64 now, u16 garble)
{
	u16 word;
	int i;

	if (msg->flags & I2C_M_RD) {
		word = peek(m, m->pointer) ^ garble;
		for (i = 0; i < msg->len; i++)
			msg->buf[i] = i == 0 ? word >> 8 : i == 1 ? word & 0xff : 0xff;
		if (m->pointer == POWER)
			m->ready = false;
		return;
	}
	if (msg->len >= 1)
		m->pointer = msg->buf[0];
	if (msg->len >= 3)
		poke(m, m->pointer, msg->buf[1] << 8 | msg->buf[2], now);
}

/* One message; its delay is added to *us. */
static int message(struct i2c_msg *msg, unsigned int *us)
{
	struct meter *m;
	unsigned long flags;
	u64 now;
	u16 garble = 0;
	int error = 0;

	if (msg->addr < FIRST || msg->addr >= FIRST + CHIPS)
		return NACK;
	m = &meters[msg->addr - FIRST];
	spin_lock_irqsave(&world, flags);
	now = ktime_get_ns();
	settle(m, now);
	m->messages++;
	*us += m->delay_us;
	if (!m->present) {
		error = NACK;
	} else if (m->count && (m->fault || m->garble)) {
		m->count -= m->count > 0;
		error = -m->fault;
		garble = m->garble;
	}
	if (!error)
		answer(m, msg, now, garble);
	spin_unlock_irqrestore(&world, flags);
	return error;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *msgs, int count)
{
	unsigned int us = 0;
	int i, error = 0;

	for (i = 0; i < count && !error; i++) {
		/* i2c-bcm2835: "only one read message supported, has to be last" */
		if (msgs[i].flags & I2C_M_RD && i != count - 1)
			return -EOPNOTSUPP;
		error = message(&msgs[i], &us);
	}
	if (us)
		fsleep(us);
	return error ? error : count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};
static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.nr = 1,
	.algo = &algorithm,
	.name = "bcm2835 (i2c@7e804000)",
};

/* --- GPIO ------------------------------------------------------------------------------------- */

static void note(unsigned int at, u64 now)
{
	if (edge_count < EDGES)
		edges[edge_count] = (struct edge){
			.ns = now, .tsc = __builtin_ia32_rdtsc(), .line = at,
			.out = lines[at].out, .level = level_of(&lines[at]),
		};
	edge_count++;
}

/* Change a line; what the meters saw until now they saw with the line as it was. */
static void become(unsigned int at, struct line next)
{
	struct line before;
	unsigned long flags;
	u64 now;

	spin_lock_irqsave(&world, flags);
	now = ktime_get_ns();
	settle_all(now);
	before = lines[at];
	lines[at] = next;
	if (before.out != next.out || level_of(&before) != level_of(&next))
		note(at, now);
	spin_unlock_irqrestore(&world, flags);
}

static int gpio_request(struct gpio_chip *chip, unsigned int at)
{
	struct line next = lines[at];

	next.claimed = true;
	become(at, next);
	return 0;
}

static void gpio_free_line(struct gpio_chip *chip, unsigned int at)
{
	struct line next = lines[at];

	next.claimed = false;
	next.out = next.out && !strict;
	become(at, next);
}

static int gpio_get_direction(struct gpio_chip *chip, unsigned int at)
{
	return lines[at].out ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static int gpio_direction_input(struct gpio_chip *chip, unsigned int at)
{
	struct line next = lines[at];

	next.out = false;
	become(at, next);
	return 0;
}

static int gpio_direction_output(struct gpio_chip *chip, unsigned int at, int level)
{
	struct line next = lines[at];

	next.out = true;
	next.driven = level;
	become(at, next);
	return 0;
}

static int gpio_get(struct gpio_chip *chip, unsigned int at)
{
	return level_of(&lines[at]);
}

static void gpio_set(struct gpio_chip *chip, unsigned int at, int level)
{
	struct line next = lines[at];

	next.driven = level;
	become(at, next);
}

static int gpio_set_config(struct gpio_chip *chip, unsigned int at, unsigned long config)
{
	struct line next = lines[at];

	switch (pinconf_to_config_param(config)) {
	case PIN_CONFIG_BIAS_PULL_UP:
		next.inside = PULL_UP;
		break;
	case PIN_CONFIG_BIAS_PULL_DOWN:
		next.inside = PULL_DOWN;
		break;
	case PIN_CONFIG_BIAS_DISABLE:
		next.inside = PULL_NONE;
		break;
	default:
		return -ENOTSUPP;
	}
	become(at, next);
	return 0;
}

static struct gpio_chip gpio = {
	.label = "pinctrl-bcm2711",
	.owner = THIS_MODULE,
	.base = -1,
	.ngpio = LINES,
	.request = gpio_request,
	.free = gpio_free_line,
	.get_direction = gpio_get_direction,
	.direction_input = gpio_direction_input,
	.direction_output = gpio_direction_output,
	.get = gpio_get,
	.set = gpio_set,
	.set_config = gpio_set_config,
};

/* --- the plant's side ------------------------------------------------------------------------- */

static const char *const pull_names[] = { "none", "up", "down" };

static int meter_show(struct seq_file *out, void *unused)
{
	struct meter *m = out->private, copy;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&world, flags);
	settle(m, ktime_get_ns());
	copy = *m;
	spin_unlock_irqrestore(&world, flags);
	seq_printf(out, "present=%d bus_mv=%d shunt_uv=%d fault=%d garble=%d count=%d delay_us=%d",
		   copy.present, copy.bus_mv, copy.shunt_uv, copy.fault, copy.garble, copy.count,
		   copy.delay_us);
	seq_printf(out, " messages=%lu registers=", copy.messages);
	for (i = CONFIGURATION; i <= CALIBRATION; i++)
		seq_printf(out, "%04x%c", peek(&copy, i), i == CALIBRATION ? '\n' : ',');
	return 0;
}

static int set_word(struct meter *m, const char *key, int value, u64 now)
{
	unsigned int at;

	if (sscanf(key, "high%u", &at) == 1 && at < LINES) {
		m->high_uv[at] = value;
	} else if (sscanf(key, "low%u", &at) == 1 && at < LINES) {
		m->low_uv[at] = value;
	} else if (!strcmp(key, "present")) {
		if (m->present != !!value)
			reset(m, now);
		m->present = value;
	} else if (!strcmp(key, "reset")) {
		reset(m, now);
	} else if (!strcmp(key, "bus_mv")) {
		m->bus_mv = value;
	} else if (!strcmp(key, "shunt_uv")) {
		m->shunt_uv = value;
	} else if (!strcmp(key, "fault")) {
		m->fault = value;
		m->count = -1;
	} else if (!strcmp(key, "garble")) {
		m->garble = value;
		m->count = -1;
	} else if (!strcmp(key, "count")) {
		m->count = value;
	} else if (!strcmp(key, "delay_us")) {
		m->delay_us = value;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* Take a short text from user space into a buffer, with its end. */
static int fetch(char *buffer, size_t size, const char __user *from, size_t length)
{
	if (length >= size)
		return -EINVAL;
	if (copy_from_user(buffer, from, length))
		return -EFAULT;
	buffer[length] = 0;
	return 0;
}

static ssize_t meter_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	struct meter *m = ((struct seq_file *)file->private_data)->private, next;
	char text[256], *rest = text, *word, *value;
	unsigned long flags;
	int number, error = fetch(text, sizeof(text), from, length);
	u64 now;

	if (error)
		return error;
	spin_lock_irqsave(&world, flags);
	now = ktime_get_ns();
	settle(m, now);
	next = *m;
	while (!error && (word = strsep(&rest, " \n"))) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (!value || kstrtoint(value + 1, 0, &number)) {
			error = -EINVAL;
		} else {
			*value = 0;
			error = set_word(&next, word, number, now);
		}
	}
	if (!error)
		*m = next; /* all of it, or nothing */
	spin_unlock_irqrestore(&world, flags);
	return error ? error : length;
}

static int lines_show(struct seq_file *out, void *unused)
{
	int i;

	for (i = 0; i < LINES; i++)
		seq_printf(out, "%d %s %d %s %s\n", i, lines[i].out ? "out" : "in",
			   level_of(&lines[i]), pull_names[pull_of(&lines[i])],
			   lines[i].claimed ? "claimed" : "free");
	return 0;
}

static ssize_t lines_write(struct file *file, const char __user *from, size_t length, loff_t *to)
{
	char text[32], name[8];
	unsigned int at;
	int pull, error = fetch(text, sizeof(text), from, length);
	struct line next;

	if (error)
		return error;
	if (sscanf(text, "%u %7s", &at, name) != 2 || at >= LINES)
		return -EINVAL;
	pull = match_string(pull_names, ARRAY_SIZE(pull_names), name);
	if (pull < 0)
		return pull;
	next = lines[at];
	next.outside = pull;
	become(at, next);
	return length;
}

static int edges_show(struct seq_file *out, void *unused)
{
	unsigned int i, count = min_t(unsigned int, edge_count, EDGES);

	for (i = 0; i < count; i++)
		seq_printf(out, "%llu %llu %u %s %d\n", edges[i].ns, edges[i].tsc, edges[i].line,
			   edges[i].out ? "out" : "in", edges[i].level);
	seq_printf(out, "lost %u\n", edge_count - count);
	return 0;
}

static ssize_t edges_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	unsigned long flags;

	spin_lock_irqsave(&world, flags);
	edge_count = 0;
	spin_unlock_irqrestore(&world, flags);
	return length;
}

#define PLANT_FILE(name)                                                            \
	static int name##_open(struct inode *inode, struct file *file)              \
	{                                                                           \
		return single_open(file, name##_show, inode->i_private);            \
	}                                                                           \
	static const struct file_operations name##_file = {                         \
		.owner = THIS_MODULE,                                               \
		.open = name##_open,                                                \
		.read = seq_read,                                                   \
		.write = name##_write,                                              \
		.llseek = seq_lseek,                                                \
		.release = single_release,                                          \
	}

PLANT_FILE(meter);
PLANT_FILE(lines);
PLANT_FILE(edges);

/* --- life ------------------------------------------------------------------------------------- */

static int power_on(void)
{
	char text[128], *rest = text, *word, name[12];
	int i, address;

	if (strscpy(text, chips, sizeof(text)) < 0)
		return -EINVAL;
	for (i = 0; i < LINES; i++) /* BCM2711's pulls at reset, GPIO 0 to 27 */
		lines[i].inside = i <= 8 ? PULL_UP : PULL_DOWN;
	for (i = 0; i < raised_count; i++)
		if (raised[i] >= 0 && raised[i] < LINES)
			lines[raised[i]].outside = PULL_UP;
	while ((word = strsep(&rest, ","))) {
		if (kstrtoint(word, 0, &address) || address < FIRST || address >= FIRST + CHIPS)
			return -EINVAL;
		meters[address - FIRST].present = true;
	}
	folder = debugfs_create_dir("vpi", NULL);
	for (i = 0; i < CHIPS; i++) {
		reset(&meters[i], ktime_get_ns());
		snprintf(name, sizeof(name), "meter-%02x", FIRST + i);
		debugfs_create_file(name, 0600, folder, &meters[i], &meter_file);
	}
	debugfs_create_file("lines", 0600, folder, NULL, &lines_file);
	debugfs_create_file("edges", 0600, folder, NULL, &edges_file);
	debugfs_create_bool("strict", 0600, folder, &strict);
	return 0;
}

static int __init board_init(void)
{
	int error = power_on();

	if (error)
		goto no_folder;
	error = i2c_add_numbered_adapter(&adapter);
	if (error)
		goto no_folder;
	error = gpiochip_add_data(&gpio, NULL);
	if (!error)
		return 0;
	i2c_del_adapter(&adapter);
no_folder:
	debugfs_remove(folder);
	return error;
}

static void __exit board_exit(void)
{
	gpiochip_remove(&gpio);
	i2c_del_adapter(&adapter);
	debugfs_remove(folder);
}

module_init(board_init);
module_exit(board_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("The board of a virtual Raspberry Pi");
